"""Schedule expressions: whether EventBridge Scheduler takes one, and which times it means.

``expressions`` and ``cron`` read, ``calendar`` lists. No library is used: aws-croniter 2.1 refuses
``LW`` and a step in the year, takes ``L`` of the week for never, and gives up on sparse days. The
biggest drawback: AWS documents the expressions but publishes no reference to hold this against.
"""
