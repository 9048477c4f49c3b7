"""From steadyspot.toml to CloudFormation stacks, and away again.

In order: ``config`` is what the file says, which ``config_file`` reads; ``consistency`` says what
does not go together in it, and ``without_effect`` what changes nothing; ``parameters`` turns it
into the templates' parameters, ``images`` brings the image where Fargate can pull it, ``templates``
reads the two templates with their workflows, which ``definitions`` brings where CloudFormation
reads them, ``up`` plans and makes the change through ``cloudformation`` (``changes`` say what will
happen, ``following`` what happens), ``down`` removes what is ours. Its biggest drawback:
CloudFormation does one stack at a time, so many jobs take long.
"""
