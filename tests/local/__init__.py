"""Whole runs on the embedded AWS."""
