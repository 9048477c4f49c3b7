"""Whether the tests bite: one change at a time in the code that decides, and who notices it."""
