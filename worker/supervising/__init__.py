"""Supervising: processes, signals and time; nothing here waits for the network.

Comes in: a command, signals, the grace. ``signals`` says which of them are a stop, ``supervisor``
starts the ``job`` and acts on a stop, ``telling`` says who is told of it, ``processes`` knows and
ends what runs, ``half_made`` says which files nobody has finished, by ``written_files``, ``stages``
shares out the grace, ``rhythm`` says when folders are saved, ``ending`` leads the attempt to its
exit code. Its biggest drawback: what a job leaves in the background is found by looking through
/proc.
"""
