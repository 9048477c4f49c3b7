"""The command line: verbs, their options, and what people see.

``main`` finds a verb and turns what went wrong into two sentences; a file of ``verbs`` wires
``options`` to the room that does the work; ``screen`` prints. Its biggest drawback: what a verb
prints is decided where it is printed, so each new view adds to ``screen``.
"""
