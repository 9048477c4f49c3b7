"""How something stands, as a colour has it, and the sign that says the same without one."""

from __future__ import annotations

SIGNS = {"good": "✓", "bad": "✕", "care": "…", "quiet": "–"}
"""By tone: it went well, it needs somebody, it is not over, it does not matter now."""
