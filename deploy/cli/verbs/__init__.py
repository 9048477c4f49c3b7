"""The verbs of the command line, one a file: options, and wiring to what does the work."""
