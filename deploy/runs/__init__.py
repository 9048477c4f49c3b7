"""Runs: started, found, followed, told, taken up again.

``executions`` starts and follows, ``table`` asks the run table for ``items``, which become the
``records`` that all others know, ``listing`` and ``lookup`` find runs, ``history`` and ``story``
tell one from ``evidence``, ``logs`` shows what it printed, ``redrive`` and ``backfill`` take up
what is open. How all jobs stand is read by ``fleet_reading``, judged by ``fleet``, written by
``fleet_shown``. Its biggest drawback: what happened is put together from three places (table,
history, logs), each of which may be gone.
"""
