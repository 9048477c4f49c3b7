"""The local target: an AWS in this process that behaves as the real one does, `aws.py` first."""
