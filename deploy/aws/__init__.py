"""The edge to AWS: how often it may be asked, what a refusal means, and what it charges.

Comes in: the address of an embedded AWS, errors of boto3. Goes out: a session, two sentences for
what AWS refused, and dated prices. Its biggest drawback: clients of boto3 have no
types of ours, so the other rooms hold them as ``Any``.
"""
