"""Pages for people, and what writes those of them that the product itself knows.

``reference/`` is made by ``python -m docs.generate`` (in `make render`); the others are written by
hand. `make docs` builds them all with MkDocs.
"""
