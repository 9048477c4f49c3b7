"""CloudFormation of the embedded AWS: moto's, with its gaps closed.

Comes in: a template and parameters, which moto parses. Goes out: resources, and events of them as
AWS has them. ``register`` puts resource types and stacks of ours in the place of moto's, once per
process and before the first stack; ``preview`` says what a change set would do. Its biggest
drawback: which properties replace a resource is written down by hand, type by type.
"""

from steadyspot.deploy.local.cloudformation.registration import register

__all__ = ["register"]
