"""What a job has of its units in memory alone, so that a unit which ended may not be done.

Comes in: the end of a unit, and what this process has just then. ``aside`` decides whether the unit
is done, or waits until nothing of it can be lost any more; it asks ``gathering`` for containers
that grew (``in_memory`` for databases), ``open_files`` and ``open_transactions`` for rows that are
not written yet (``drivers`` and ``sql_text`` for those of drivers alone), and ``plain_loop`` for
loops that keep what their units yield, as ``looked_ahead`` does for those that have one more in
hand. After a stop ``left_out`` has the units of a loop that are not done again: ``carried``
compares what that loop keeps by ``contents`` (``checksums``; ``in_objects`` and ``within_objects``
for those of libraries), with what ``program_text`` (``flow``, ``places``, ``told``) says of its
variables and ``read_later`` of what comes after it, and ``among_units`` what later units read, by
``unit_text`` without ``caches``, with where ``randomness`` stands; both leave out what was
``restored``, by the text of what is ``under_loops`` and in ``loop_heads``. For pools ``beside``
does, and ``results_text``. What units leave in files elsewhere ``files_outside`` sees as the
program reads it, with ``births``, and ``files_named`` by name; ``after_stop`` says all of that when
it is due, and as a program ends what of the ``lost`` was ``deciding`` on outputs, or has it
``failing``. Goes out: units that are done, and words to the supervisor on what would lack others.
Its biggest drawback: it looks from outside at programs in Python, as they are usually written; what
other languages keep in memory is not seen.
"""
