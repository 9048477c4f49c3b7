// A job that resumes: what lies in the checkpoint folder when a task is stopped is there again when the
// next attempt begins, and what lies in the output folder when the job has ended well is published.
// A file is replaced by renaming, so a stop at any instant finds it whole.
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

const checkpoint = process.env.STEADYSPOT_CHECKPOINT_DIR ?? "checkpoint";
const output = process.env.STEADYSPOT_OUTPUT_DIR ?? "output";
const parts = 12;

for (const folder of [checkpoint, output]) mkdirSync(folder, { recursive: true });
const file = join(checkpoint, "squares.json");
const squares = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [];

for (let part = squares.length; part < parts; part++) {
  await setTimeout(500); // What takes its time.
  squares.push(part * part);
  writeFileSync(`${file}.new`, JSON.stringify(squares));
  renameSync(`${file}.new`, file);
  console.log(`part ${part + 1} of ${parts} is done`);
}

copyFileSync(file, join(output, "squares.json"));
