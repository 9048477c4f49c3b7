"""``make bench``: print every measure as a table."""

from __future__ import annotations

import sys

from tests.bench import worker

if __name__ == "__main__":
    sys.exit(worker.main(sys.argv[1:]))
