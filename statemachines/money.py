"""What a run costs, in the record and in what people are told.

Seconds of tasks at the job's prices, which carry a date; what it would have cost on on-demand only
is the useful seconds there. The transitions of the workflow are counted beside that: an hour of the
smallest task costs what 500 of them do.
"""

from __future__ import annotations

TRANSITION_PRICE = "0.000025"
"""US dollars of a state transition of a Standard workflow (AWS's price list, mid-2026)."""


def money(rows: str, transitions: str) -> str:
    """Return an expression for the money of a run: an object of numbers, in US dollars and seconds.

    ``rows`` is an expression for all its attempts, ``transitions`` one for the states it entered.
    """
    return f"""
( $rows := {rows}; $entered := {transitions};
  $on := function($capacity) {{ $sum([$rows[capacity = $capacity].seconds]) }};
  $spot := $on('spot'); $onDemand := $on('on-demand'); $wasted := $sum([$rows.lost_seconds]);
  $second := (${{Cpu}} / 1024 * ${{VcpuHourPrice}} + ${{MemoryGb}} * ${{GbHourPrice}}) / 3600;
  {{ 'spot_seconds': $spot, 'on_demand_seconds': $onDemand, 'wasted_seconds': $wasted,
    'transitions': $entered,
    'cost': $second * ($spot * (1 - ${{SpotDiscount}}) + $onDemand),
    'cost_on_demand_only': $second * $max([0, $spot + $onDemand - $wasted]) }} )
""".strip()


def to_dynamodb(numbers: str) -> str:
    """Return a flat object of numbers as a DynamoDB map."""
    return f"$merge($each({numbers}, function($v, $k) {{ {{ $k: {{ 'N': $string($v) }} }} }}))"
