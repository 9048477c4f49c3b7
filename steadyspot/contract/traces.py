"""The one trace of a run: its id, and the variables by which a job's own spans join it.

The id is made of the run table, the job and the run key alone. So every attempt, shard and redrive
has the same, and whoever wants to show the trace knows it. Of a run of a scheduled time it begins
with that time, as ids of X-Ray do, which neither requires nor checks it (the API reference of
`PutTraceSegments`).
"""

from __future__ import annotations

from datetime import datetime

from steadyspot.contract.keys import scheduled_time_from
from steadyspot.contract.shards import shard_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

X_RAY: Final = "_X_AMZN_TRACE_ID"
"""Variable of the job in the form of X-Ray's header, ``Root=1-…;Parent=…;Sampled=1``."""

TRACEPARENT: Final = "TRACEPARENT"
"""Variable of the job in the form of the W3C's Trace Context, ``00-…-…-01``."""

_PRIME, _BASIS, _BITS = 0x1000000000000000000013B, 0x6C62272E07BB014262B821756295C58D, 128


def trace_id(table: str, job: str, run_key: str) -> str:
    """Return the id of a run's trace as X-Ray writes it: ``1-``, 8 and 24 hexadecimal digits.

    ``run_key`` may be that of a shard, whose trace is its run's.
    """
    of_shard = shard_of(run_key)
    run_key = of_shard[0] if of_shard else run_key
    digits = f"{_hashed(f'{table}/{job}/{run_key}'):032x}"
    scheduled = scheduled_time_from(run_key)
    if scheduled:
        digits = f"{int(datetime.fromisoformat(scheduled).timestamp()):08x}{digits[8:]}"
    return f"1-{digits[:8]}-{digits[8:]}"


def x_ray_header(trace: str, span: str) -> str:
    """Return what says to X-Ray's libraries below which span of a trace theirs belong."""
    return f"Root={trace};Parent={span};Sampled=1"


def traceparent(trace: str, span: str) -> str:
    """Return the same as OpenTelemetry's libraries read it."""
    return f"00-{trace.removeprefix('1-').replace('-', '')}-{span}-01"


def _hashed(text: str) -> int:
    """Return the FNV-1a hash: ``hashlib`` would load OpenSSL before the job's first instruction."""
    value = _BASIS
    for byte in text.encode():
        value = (value ^ byte) * _PRIME % (1 << _BITS)
    return value
