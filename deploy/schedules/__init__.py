"""Schedule expressions: whether EventBridge Scheduler takes one, and which times it means.

``expressions`` and ``cron`` read, ``calendar`` lists. They are written for
this project, since AWS's dialect (``LW``, ``L``, ``#``, a step in the year) has to be read as AWS
reads it. The biggest drawback: AWS documents the expressions but publishes no reference to hold
this against.
"""
