"""Keeping: everything that touches S3 and DynamoDB, in one thread that is never waited for blindly.

Comes in: outputs to stage, units to mark, folders to save, and at the end a commit or a farewell.
``job_requests`` takes what the job asks for and ``unsaved`` holds it until a save takes it along;
``keeper`` has the thread with its queue, and ``saving`` the steps done there: open under the
``fence``, save a ``checkpoint``, ``commit`` by the ``publisher``, as ``attempt`` writes them down.
What was done is a ``history``. A folder is looked at by ``scanning``, captured by ``folders`` and
``output_folder`` without what is ``half_made``, sent by ``sending`` as ``packing`` says, described
by a ``listing``, brought back by ``restoring``; ``uploads`` carries the bytes, through ``own``,
which knows no other run's keys, to what ``store`` says of S3 and DynamoDB and ``aws`` speaks to;
what comes back is held against its form by ``read_back``; what units ``side_by_side`` cannot keep
right in a folder is told, as are the other ``sentences`` that are no error. Goes out: objects, and
the run's item. Its biggest drawback: one thread, so a slow save delays the next mark.
"""
