/**
 * `fledge train`: fine-tunes a model from a terminal. In: knobs as options, from a JSON file and from the environment. Out:
 * what the run will do, its progress, the finished model; exit code 0, or 130 when it was stopped by Ctrl-C.
 */
import { gatherSettings } from "../../src/config/sources.js";
import { explainRun } from "../../src/explain.js";
import { train as trainModel } from "../../src/fine-tune.js";
import { prepareRun } from "../../src/prepare.js";
import type { NoticeEvent } from "../../src/train/events.js";
import { activityOf } from "../../src/view/progress.js";
import type { Command } from "../command.js";
import { knobHelp } from "../knob-help.js";
import { ownOptions } from "../options.js";
import { runInTerminal } from "../run-in-terminal.js";

/** The command. */
export const train: Command = {
  help: `Usage: fledge train [option …]

Fine-tunes a model: says what it will do, trains with progress, keeps the best weights, saves the model.
Ctrl-C stops after the step under way with a checkpoint (exit code 130); \`fledge resume\` goes on from it.
A second Ctrl-C stops at once.

  fledge train --dataset-name letters.txt --learning-rate 1e-3 --block-size 128

  --config FILE               Knobs from a JSON file: { "learningRate": 1e-3, "numEpochs": 1 }
  --explain                   Only say what the run would do

A knob may also come from the environment: FLEDGE_LEARNING_RATE=1e-3. Where it is set twice, the file comes
first, then the command line, then the environment.

${knobHelp()}
`,
  async run(words) {
    const { own, rest, subject } = ownOptions(words, { "--config": "value", "--explain": "switch" });
    const file = own["--config"];
    const { settings, overruled } = await gatherSettings({
      ...(file !== undefined && { file }),
      words: subject === undefined ? rest : [subject, ...rest],
      environment: process.env,
    });
    for (const note of overruled) process.stderr.write(`note: ${note}\n`);
    const prepared = await prepareRun(settings, { onProgress: drawProgress });
    for (const line of explainRun(prepared).lines) process.stdout.write(`${line}\n`);
    if (own["--explain"] !== undefined) return 0;
    return runInTerminal((signal) => trainModel(settings, { prepared, signal }), prepared.config.outputDir, true);
  },
};

// One moving line on a terminal, cleared by what is written next; nothing in a pipe.
function drawProgress(progress: NoticeEvent): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${activityOf(progress)}\r`);
}
