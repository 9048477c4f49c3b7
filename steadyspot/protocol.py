"""The few words a job speaks with its supervisor, over a Unix socket; any language may.

The socket's path is in the environment variable ``STEADYSPOT_SOCKET``. One JSON object a line each
way, one reply to one request, in order; a connection of one's own for each thread. A reply is
``{"ok": true, …}`` or ``{"ok": false, "error": "a sentence", "todo": "a sentence"}``.

==========================  ===================================================================
``{"do": "hello"}``         ``job``, ``run_key``, ``attempt``, ``capacity``, ``folders``: those for
                            the checkpoint and for outputs, each empty where there is none, and
                            ``state``: a list with what was last saved, empty where nothing was
``{"do": "units"}``         ``units``: the keys done so far, durable or set aside
``{"do": "claim",           units of the ``program``, and those it finds ``done`` and leaves out;
``"program", "units",       that is refused where another has had them in this attempt
``"done"}``
``{"do": "begin", "unit"}`` takes the unit with this key in hand; a key belongs to one unit only
``{"do": "output",          begins an output: its number ``output``, and the ``path`` to write it
``"name"}``                 to. It belongs to the unit that the process or the nearest one above it
                            has in hand; to another with ``unit``, to none with ``"unit": ""``; to
                            the one in ``within`` if that is in hand
``{"do": "stage",           begins to upload the file of an output, answers at once; the file is the
``"output"}``               worker's from now on
``{"do": "give-up",         the output will not be written
``"output"}``
``{"do": "mark", "unit",    answers when the unit's outputs, the state (if given) and its key are
``"state"}``                durable; only then is the unit done. So are outputs of no unit then,
                            and other units, in hand or set aside, whose keys are in the list
                            ``also``: all at once
``{"do": "set-aside",       ends a unit that may not be done yet, such as one that was taken ahead
``"unit"}``                 or has handed on work: it counts with the mark that names it, or when
                            the job has ended well
``{"do": "break-off",       the unit will not be done, and its outputs do not count; it may be
``"unit"}``                 begun again. With a sentence in ``refused`` the job broke a rule with
                            it, or with none where that is empty: however it ends, the attempt
                            does not count as finished
``{"do": "uncommitted",     the unit in hand ends while what it wrote lies in an open transaction:
``"unit"}``                 a kill before the commit would lose that, and the mail says so
``{"do": "leave-rest"}``    a process begins no more unit of those it has, since the attempt is to
                            stop: exit 0 does not count as finished, whatever else is said
``{"do": "await-others"}``  answers once no unit is in hand but those of the process itself, of the
                            ones above it, and of such as wait for that, too: it is about to give up
``{"do": "lacks", "names",  so many ``units`` were left out that were done before, and variables of
``"units", "lacking"}``     these ``names`` hold what comes of units: where an output is made after
                            that, the attempt does not count, and the run begins anew; with
                            ``"lacking": "of-no-unit"`` only where that is no unit's. With
                            ``"units"`` later units have read it: what was made counts as little;
                            with ``"if-failed"`` nothing does, should the job end with another code
``{"do": "save",            makes the state (if given) durable, and outputs of no unit
``"state"}``
``{"do": "progress",        notes how far the job is, 0 to 1, and how many units there are
``"fraction", "total"}``
``{"do": "all-done"}``      all work is done: exit 0 counts as finished even after a stop;
                            ``"done": false`` takes it back. With ``"at_end": true``, said when a
                            process has done all its units and ends by itself, it counts only if
                            that is the job's first process
``{"do": "speaking"}``      ``pids``: the processes that have a connection of their own
``{"do": "is-stopping"}``   ``stopping``: whether the attempt is to stop
``{"do": "wait-stop"}``     answers when the attempt is to stop: ``seconds_left`` of the job's share
==========================  ===================================================================
"""

from __future__ import annotations

from steadyspot.contract import Env

SOCKET = Env.SOCKET
STATE_BYTES = 16 << 20
"""The longest state, as JSON; what is larger belongs into a file."""

MAX_LINE = STATE_BYTES + (1 << 20)
"""The longest request."""
