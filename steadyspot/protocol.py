"""The few words a job speaks with its supervisor, over a Unix socket; any language may.

The socket's path is in the environment variable ``STEADYSPOT_SOCKET``. One JSON object a line each
way, one reply to one request, in order; a connection of one's own for each thread. A reply is
``{"ok": true, …}`` or ``{"ok": false, "error": "a sentence", "todo": "a sentence"}``.

==========================  ===================================================================
``{"do": "hello"}``         ``job``, ``run_key``, ``attempt``, ``capacity``, ``folder`` (for
outputs),
                            ``state`` (as last marked)
``{"do": "units"}``         ``units``: the keys done so far, durable
``{"do": "stage",``         begins to upload the finished file as output ``name``, answers at
``"name", "path"}``         once; the file is the worker's from now on
``{"do": "mark", "unit",``  answers when outputs, state and the unit's key are durable; only then is
``"outputs", "state"}``     the unit done. ``unit`` null makes only the state durable
``{"do": "progress",``      notes how far the job is, 0 to 1, and how many units there are
``"fraction", "total"}``
``{"do": "all-done"}``      all work is done: exit 0 counts as finished even after a stop;
                            ``"done": false`` takes it back. With ``"at_end": true``, said when a
                            process has done all its units and ends by itself, it counts only if
                            that is the job's first process
``{"do": "is-stopping"}``   ``stopping``: whether the attempt is to stop
``{"do": "wait-stop"}``     answers when the attempt is to stop: ``seconds_left`` of the job's share
==========================  ===================================================================
"""

from __future__ import annotations

SOCKET = "STEADYSPOT_SOCKET"
MAX_LINE = 64 << 20
"""Longest request in bytes; a state larger than this belongs into a file."""
