"""The worker: it runs a job so that a stop at any instant costs at most the unit in hand.

``python -m steadyspot.worker`` starts it. Comes in: a command, the environment of the contract, and
signals. ``supervising`` starts the job, passes on what it is to be told and shares out the grace;
``keeping`` owns S3 and DynamoDB in a thread of its own: fence, checkpoint, outputs, commit;
``control`` translates between the job's socket and what ``keeping`` does for a job. Goes out:
objects, the worker's item, log lines and an exit code of the contract. Its biggest drawback: it
runs in the container of the job, so that what kills the container kills both.
"""
