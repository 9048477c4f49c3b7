"""Measures of how fast and how small things are: tables of ratios taken in one run, no tests."""
