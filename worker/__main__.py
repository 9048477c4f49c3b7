"""``python -m worker``, in the image ``steadyspot-worker``: runs a job safely under SIGTERM."""

from __future__ import annotations

import os
import sys

from worker.errors import WorkerError
from worker.log import Log


def main() -> int:
    """Read the options and supervise; the exit code."""
    from worker.options import Options, usage

    log = Log()
    try:
        options = Options(sys.argv[1:], os.environ)
        if options.show_help:
            sys.stdout.write(usage())
            return 0
        if options.show_version:
            import worker

            sys.stdout.write(worker.__version__ + "\n")
            return 0
        if options.identity:
            log.about = options.identity.about()
        from worker.supervisor import Supervisor

        return Supervisor(options, os.environ, log).run()
    except WorkerError as error:
        log.error("setup", str(error), exit_code=int(error.exit_code))
        return int(error.exit_code)


def leave() -> None:
    """Run and exit without waiting for threads: what they do is undone or finished by the next."""
    code = main()
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    leave()
