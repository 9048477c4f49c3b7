"""What is looked at before anything is deployed; it changes nothing.

Comes in: a configuration and a target. Goes out: findings, whose form is ``findings``; each other
file looks at one subject, and ``checks`` says in which order. Its biggest drawback: what the
credentials may not look at stays unknown until the deployment.
"""
