"""Tests: unit (no network), local (whole runs on the embedded AWS), container (the real image).

``virtual`` is the world in which unit tests run the definition without waiting, ``bench`` measures,
``mutants`` and ``scan`` are for ``make mutants`` and ``make scan``, ``asl`` is the second engine.
"""
