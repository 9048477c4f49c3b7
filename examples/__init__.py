"""Jobs to learn from: one in Python that resumes by its units, one in plain shell.

Comes in: what the worker gives any job. Goes out: outputs that are the same however often a run was
interrupted. Its biggest drawback: both only write outputs; none has an effect elsewhere.
"""
