"""The worker: it runs a job so that a stop at any instant costs at most the unit in hand.

``from worker import current_run`` is the Python API for jobs; ``python -m worker`` is the
supervisor.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from worker.run import Run, current_run

__all__ = ["Run", "current_run"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # Loaded on first use: the supervisor starts without the API, and jobs without the supervisor.
    if name in __all__:
        from worker import run

        return getattr(run, name)
    raise AttributeError(name)
