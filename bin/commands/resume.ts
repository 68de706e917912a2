/**
 * `fledge resume`: goes on with a run that was stopped, exactly where its newest whole checkpoint stands. In: the folder of the
 * run. Out: as `fledge train`. The knobs come from the run's own log.
 */
import { gatherSettings } from "../../src/config/sources.js";
import { trainingDefaults } from "../../src/config.js";
import { train } from "../../src/fine-tune.js";
import { problem } from "../../src/message.js";
import { readRunLog } from "../../src/train/run-log.js";
import type { Command } from "../command.js";
import { ownOptions } from "../options.js";
import { runInTerminal } from "../run-in-terminal.js";

/** The command. */
export const resume: Command = {
  help: `Usage: fledge resume [FOLDER] [option …]

Goes on with the run whose checkpoints lie in FOLDER (default ${trainingDefaults.outputDir}), bit for bit where it stopped,
after Ctrl-C, a crash or a power cut. The knobs are those of the run.

  fledge resume ./gpt2_finetuned --max-minutes 30

Options are knobs as of \`fledge train\`; those that decide what is computed are refused when they differ. Free to change:
--final-model-dir, --log-every-steps, --max-minutes, --keep-best.
`,
  async run(words) {
    const { subject = trainingDefaults.outputDir, rest } = ownOptions(words, {});
    const { settings } = await gatherSettings({ words: rest });
    const start = (await readRunLog(subject)).findLast((event) => event.type === "start");
    if (start?.type !== "start") {
      throw new Error(
        problem({
          cannot: `resume the run in ${subject}`,
          found: "a log without a beginning",
          expected: "the knobs of the run",
          fix: "run `fledge train --resume` with the options of the run",
        }),
      );
    }
    const config = { ...start.config, ...settings, outputDir: subject, resume: true };
    return runInTerminal((signal) => train(config, { signal }), subject);
  },
};
