"""A start in somebody's own repository: what `steadyspot init` writes.

``wishes`` says what is wanted, from answers; ``copilot`` and ``task_definition`` say the same from
what somebody has already, and what of it has no place here. ``files`` makes texts of a wish, from
those in ``originals/``, and ``writing`` puts them down where nothing lies yet. All but the last is
pure. Its biggest drawback: who began with an older version never gets what a later one writes.
"""
