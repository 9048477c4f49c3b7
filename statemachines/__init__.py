"""The workflow: what can stop an attempt, what is done about it, and who is told.

``causes``: the cause table. ``job``, ``before_the_start``, ``at_the_deadline``, ``after_others``,
``after_its_time``, ``after_the_end`` and ``by_mail`` build the state machines, that of a job out of
what ``claiming``, ``turns``, ``weather``, ``running``, ``judging``, ``going_on``, ``shards`` and
``ending`` make; what states evaluate stands in ``expressions/``, one named value a file, and in
``values``. ``render`` writes ``rendered/*.asl.yaml``, which is what is deployed. ``schemas/`` holds
the forms of what goes in and comes out. Its biggest drawback: what a definition evaluates is
JSONata, which no type checker reads, so tests run it on two engines.
"""
