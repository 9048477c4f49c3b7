"""The page: the fleet, a job and a run to look at, as a server on this machine or as one file.

What comes in is what the verbs read, too: ``reading`` asks a target for it. ``timeline`` makes of a
run's story what is to be drawn, ``pictures`` lays it out, ``rendering`` fills the templates, and
``server`` answers a browser. What goes out is HTML that needs nothing from elsewhere. Its biggest
drawback: each look at a page asks AWS anew, since nothing is kept between two of them.
"""
