"""What a job imports: ``from steadyspot import current_run``, standard library only.

    run = current_run()
    for part in run.remaining(parts):                       # what is done is skipped
        with run.output(f"part-{part:05}.parquet") as path:  # whole, or not at all
            ...

Comes in: a loop over units, outputs, a state (``run``, with ``loops``, ``in_hand`` and ``state``);
``memory`` looks at what units leave in the process alone, and so are not done.
Goes out: words over a socket (``channel``, ``protocol``) to the supervisor in the same container,
or into a local folder where there is none (``local_folder``). Where a run is worked off by several
tasks, ``shards`` says which units are whose, and ``run.shard`` and ``run.shards`` which task this
is; the loop stays the same. ``local_shards`` runs a program as several on one machine. ``contract``
is what all sides of the product agree on. Its biggest drawback: two copies of this folder lie in
the image, one for the job's Python and one for the worker's.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from steadyspot.current import current_run
    from steadyspot.run import Run

__all__ = ["Run", "current_run"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # Loaded on first use: the worker needs the contract and not the API.
    if name in __all__:
        from steadyspot import current

        return getattr(current, name)
    raise AttributeError(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
