"""What is looked at before anything is deployed; it changes nothing.

Comes in: a configuration and a target. Goes out: findings, each good, bad or not to be told here.
Its biggest drawback: what the credentials may not look at stays unknown until the deployment.
"""
