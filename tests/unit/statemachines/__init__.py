"""The workflow, by itself."""
