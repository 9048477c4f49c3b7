"""The command line, for AWS and for the embedded AWS of this machine."""
