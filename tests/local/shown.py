"""What a process sees of itself and of what it was given, as a line of JSON; it exits with 3."""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

if __name__ == "__main__":
    umask = os.umask(0o22)
    atexit.register(lambda: sys.stdout.write("the end\n"))
    threading.Timer(0.1, sys.stdout.write, ["a thread\n"]).start()
    sys.stdout.write(
        json.dumps(
            {
                "arguments": sys.argv,
                "folder": str(Path.cwd()),
                "environment": dict(os.environ),
                "path": sys.path[:2],
                "signals": {one.name: str(signal.getsignal(one)) for one in signal.Signals},
                "blocked": list(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
                "streams": [
                    (one.encoding, one.errors, one.line_buffering, one.isatty(), one.fileno())
                    for one in (sys.stdin, sys.stdout, sys.stderr)
                ],
                "descriptors": len(list(Path("/proc/self/fd").iterdir())),
                "umask": umask,
                "temporary": tempfile.tempdir,
                "threads": threading.active_count(),
                "leads": os.getsid(0) == os.getpgid(0) == os.getpid(),
            }
        )
        + "\n"
    )
    sys.exit(3)
