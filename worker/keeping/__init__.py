"""Keeping: everything that touches S3 and DynamoDB, in one thread that is never waited for blindly.

Comes in: outputs to stage, units to mark, folders to save, and at the end a commit or a farewell.
``keeper`` queues these; ``attempt`` does them step by step: open under the ``fence``, save a
``checkpoint``, ``commit``; ``uploads``, ``folders`` and ``store`` carry the bytes. Goes out:
objects, and the run's item. Its biggest drawback: one thread, so a slow save delays the next mark.
"""
