"""The workflow's decisions replayed over series of Spot capacity, beside those of others."""
