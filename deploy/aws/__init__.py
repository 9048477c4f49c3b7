"""The edge to AWS: where a command works, how often it may ask, and what a refusal means.

Comes in: profile and region, or the address of an embedded AWS. Goes out: sessions, names of
stacks, and two sentences for what AWS refused. Its biggest drawback: clients of boto3 have no
types of ours, so the other rooms hold them as ``Any``.
"""
