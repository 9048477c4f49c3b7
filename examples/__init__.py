"""Jobs to learn from: one in Python that resumes by its units, one in plain shell."""
