"""Schedule expressions: whether EventBridge Scheduler takes one, and which times it means.

``syntax`` judges, ``calendar`` lists. Its biggest drawback: AWS documents the expressions but
publishes no reference to hold this against.
"""
