"""The command ``steadyspot``, and what it works with: stacks, runs, money, drills, checks.

Comes in: ``steadyspot.toml`` and a verb. Goes out: stacks on a ``target`` (an AWS account, or the
embedded AWS of this machine, ``local``), and what people read. A failure that a person can mend is
a ``trouble``; ``forms`` says where something typed does not fit its schema. Its biggest drawback:
only the embedded AWS is there to test against, so what AWS alone does is known from documentation.
"""
