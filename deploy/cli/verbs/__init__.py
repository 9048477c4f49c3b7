"""The verbs of the command line, one a file: options, and wiring to what does the work.

Comes in: the words behind the verb. Goes out: a call of another room, and what ``screen`` shows of
its answer. Its biggest drawback: a file is loaded only once its verb is typed, so ``main`` keeps
the list of them beside.
"""
