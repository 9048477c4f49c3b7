"""Pages for people, and what writes those of them that the product itself knows.

Comes in: the product's own schema, table, contract and verbs. Goes out: ``reference/``, by
``python -m docs.generate`` (in `make render`); the other pages are written by hand, and `make docs`
builds them all with MkDocs. Its biggest drawback: what is written by hand is held true by tests of
its links and commands alone.
"""
