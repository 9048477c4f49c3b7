"""The workflow: what can stop an attempt, what is done about it, and who is told."""
