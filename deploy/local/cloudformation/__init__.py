"""CloudFormation of the embedded AWS: moto's, with its gaps closed.

``register`` puts resource types and stacks of ours in the place of moto's, once per process and
before the first stack. The parsing of templates and the answers of the API stay moto's.
"""

from steadyspot.deploy.local.cloudformation.registration import register

__all__ = ["register"]
