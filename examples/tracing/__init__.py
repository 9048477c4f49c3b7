"""Spans of a job's own below its attempt in the run's trace, where ``tracing = true``."""
