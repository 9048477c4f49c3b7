"""A job that resumes: it works off parts one by one, and a part that is done is never done again.

`python3 job.py` runs it here, without AWS; Steadyspot runs the same file. Put your own work in the
place of the loop's body.
"""

import time

from steadyspot import current_run

PARTS = 12

run = current_run()
for part in run.remaining(range(PARTS)):
    time.sleep(0.5)  # What takes its time.
    # Visible to others only when the whole run is complete.
    with run.output(f"part-{part:05}.csv") as path:
        path.write_text(f"part,square\n{part},{part * part}\n")
    print(f"part {part} of {PARTS} is done", flush=True)
