"""TPC-H query 1 over lineitem in parts: a job that resumes behind the parts it has done.

Comes in: the parts of lineitem that ``data`` made, from a ``source``. ``job`` runs the ``query``
over one after the other and merges what they came to. Goes out: the result, which ``answer``
compares with the published one. Its biggest drawback: a part is the unit, so an interruption costs
the whole part in hand.
"""
