"""How something stands, as a colour has it, and the sign that says the same without one."""

from __future__ import annotations

from steadyspot.contract import Status

SIGNS = {"good": "✓", "bad": "✕", "care": "…", "quiet": "–"}
"""By tone: it went well, it needs somebody, it is not over, it does not matter now."""


def tone_of(status: str) -> str:
    """Return the tone of a run's status."""
    tones = {
        Status.COMPLETE: "good",
        Status.RUNNING: "care",
        Status.COMMITTING: "care",
        Status.SKIPPED: "quiet",
    }
    return next((tone for one, tone in tones.items() if one == status), "bad")
