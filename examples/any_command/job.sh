#!/bin/sh
# A job in plain shell that resumes: it adds up the numbers from 1 to STEPS, a line of its report each.
#
# It knows two folders and nothing else of Steadyspot. What lies in the checkpoint folder when a task
# is stopped is there again when the next attempt begins; what lies in the output folder when the job
# has ended well is published. A report is replaced by renaming, so a stop at any instant finds it whole.
#
# By hand, with both folders where you stand:      STEPS=5 sh examples/any_command/job.sh
# In an image of your own, behind the worker:      ENV STEADYSPOT_CHECKPOINT_DIR=/work/checkpoint
#                                                  ENV STEADYSPOT_OUTPUT_DIR=/work/output
#                                                  CMD ["sh", "examples/any_command/job.sh"]
set -eu

checkpoint=${STEADYSPOT_CHECKPOINT_DIR:-checkpoint}
output=${STEADYSPOT_OUTPUT_DIR:-output}
steps=${STEPS:-10}
pause=${PAUSE:-0}

mkdir -p "$checkpoint" "$output"
touch "$checkpoint/report"

step=$(wc -l <"$checkpoint/report")
sum=$(tail -n 1 "$checkpoint/report" | sed 's/.* //')
[ "$step" -eq 0 ] || echo "resuming after step $((step))"

while [ "$step" -lt "$steps" ]; do
    sleep "$pause"
    step=$((step + 1))
    sum=$((${sum:-0} + step))
    { cat "$checkpoint/report" && echo "step $step: the sum is $sum"; } >"$checkpoint/report.new"
    mv "$checkpoint/report.new" "$checkpoint/report"
    echo "step $step of $steps done"
done

cp "$checkpoint/report" "$output/report"
