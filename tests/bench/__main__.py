"""``make bench``: print every measure as a table; arguments choose among the worker's."""

from __future__ import annotations

import sys

from tests.bench import command_line, worker

if __name__ == "__main__":
    missed = worker.main(sys.argv[1:])
    sys.exit(missed if sys.argv[1:] else max(missed, command_line.main()))
