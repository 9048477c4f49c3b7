"""The worker's deciding parts against a bucket and a table in memory."""
