"""The page: the fleet, a job and a run to look at, as a server on this machine or as one file.

What comes in is what the verbs read, too: ``reading`` asks a target for it, and ``looks`` keeps
what was seen for a moment, so that a page is there at once. A page has a view, which says in the
verbs' words what it shows: ``fleet_view`` (with ``strip`` and ``weather_view``), ``job_view`` (with
``calendar_view`` and ``over_time``), ``run_view`` (with ``in_short``, ``shards_view`` and
``graph``), ``drills_view`` and, as a file only, ``cost_view``. ``timeline`` makes of a run's story
what is to be drawn; ``pictures`` and ``charts`` lay it out; ``rendering`` fills the templates.
``server`` answers a browser that ``guard`` lets in; ``doing`` is what can be done from a page, and
``drilling`` has drills carried out. What goes out is HTML that needs nothing from elsewhere.

Its biggest drawback: what is seen is as old as the last look, some seconds while a page is open,
and each look asks AWS anew, twenty calls at most.
"""
