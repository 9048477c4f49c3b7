"""The real image, with the worker as PID 1 under a container engine."""
