#!/bin/sh
# A job that resumes: what lies in the checkpoint folder when a task is stopped is there again when the
# next attempt begins, and what lies in the output folder when the job has ended well is published.
# A file is replaced by renaming, so a stop at any instant finds it whole.
set -eu

checkpoint=${STEADYSPOT_CHECKPOINT_DIR:-checkpoint}
output=${STEADYSPOT_OUTPUT_DIR:-output}
parts=12

mkdir -p "$checkpoint" "$output"
touch "$checkpoint/report"
part=$(wc -l <"$checkpoint/report")

while [ "$part" -lt "$parts" ]; do
    sleep 0.5 # What takes its time.
    { cat "$checkpoint/report" && echo "$part $((part * part))"; } >"$checkpoint/report.new"
    mv "$checkpoint/report.new" "$checkpoint/report"
    part=$((part + 1))
    echo "part $part of $parts is done"
done

cp "$checkpoint/report" "$output/report"
