"""Tests: unit (no network), local (whole runs on the embedded AWS), container (the real image)."""
