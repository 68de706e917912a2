/**
 * Seconds of a training step in both forms of a program, one after the other, and the record by which the engine chooses the form
 * from then on. In: nothing (`npm run bench:forms`, on an idle machine; `-- --large` measures distilgpt2's shape). Out: a table of
 * s/step, peak GB and last loss by precision and form; then what the engine will say of its choice. It asserts nothing.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { formNames } from "../src/engine/engine.js";
import { chooseForm, recordForms } from "../src/engine/forms.js";
import { packageRoot } from "../src/paths.js";
import { machine } from "./figures.js";
import { type Measurement, threadEnvironment, type Workload, workloads } from "./shapes.js";

const large = process.argv.includes("--large");
const work = workloads[large ? 1 : 0] as Workload;
const script = join(packageRoot(), "dist/bench/train-step-fledge.js");

console.log(`${machine()}; ${work.name}`);
console.log("| products | form | s/step | GB | loss |\n|---|---|---|---|---|");
for (const precision of ["float32", "bfloat16"] as const) {
  const seconds = { graph: 0, xla: 0 };
  for (const form of formNames) {
    const argument = JSON.stringify({ ...work, mixedPrecision: precision === "bfloat16" });
    const output = execFileSync(process.execPath, [script, argument], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      env: { ...process.env, ...threadEnvironment, FLEDGE_FORM: form },
    });
    const { secondsPerStep, peakMemoryBytes, loss } = JSON.parse(output.trim().split("\n").at(-1) ?? "") as Measurement;
    seconds[form] = secondsPerStep;
    const cells = [precision, form, secondsPerStep.toFixed(3), (peakMemoryBytes / 1e9).toFixed(2), loss.toFixed(4)];
    console.log(`| ${cells.join(" | ")} |`);
  }
  recordForms(process.env, precision, seconds);
}
for (const precision of ["float32", "bfloat16"] as const) {
  console.log(`${precision}: ${chooseForm(process.env, precision).because}`);
}
