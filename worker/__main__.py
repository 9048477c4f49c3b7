"""``python -m steadyspot.worker``, in the image ``steadyspot-worker``: runs a job under SIGTERM."""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from steadyspot.worker.log import Log


def main(log: Log) -> int:
    """Read the options and supervise; the exit code."""
    from steadyspot.contract import Reason
    from steadyspot.contract.options import spread
    from steadyspot.worker.errors import as_trouble
    from steadyspot.worker.options import Options, usage

    environ = spread(os.environ)
    try:
        options = Options(sys.argv[1:], environ)
        if options.show_help:
            sys.stdout.write(usage())
            return 0
        if options.show_version:
            from steadyspot import __version__

            sys.stdout.write(__version__ + "\n")
            return 0
        if options.identity:
            log.about = options.identity.about()
        from steadyspot.worker.supervising.supervisor import Supervisor

        return Supervisor(options, environ, log).run()
    except Exception as error:  # The job, where it runs, ends with this process.
        trouble = as_trouble(error)
        event = "fault" if trouble.reason is Reason.WORKER_FAULT else "setup"
        code = int(trouble.exit_code)
        log.error(event, str(trouble), exit_code=code, **trouble.details())
        return code


def leave() -> None:
    """Run and exit without waiting for threads: what they do is undone or finished by the next."""
    # None is lost before it is caught: the rest is loaded only now.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    hold_standard_streams()
    from steadyspot.worker.log import Log

    log = Log()
    code = main(log)
    log.close()
    if sys.stdout:  # None where it was closed.
        sys.stdout.flush()
    os._exit(code)


def hold_standard_streams() -> None:
    """Take the numbers of closed standard streams, lest a pipe of the worker's gets them.

    The log goes to number 2, whatever that is. For the job they stay closed.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open("/dev/null", os.O_RDWR)  # The lowest free number, not inherited.


if __name__ == "__main__":
    leave()
