// @ts-check
/**
 * Runs one notebook for bin/setup/course.mjs: `node notebook-worker.mjs NOTEBOOK OUTPUT`, with an IPC channel. Out, over the
 * channel: a line of text after every cell, and one NotebookResult at the end. It prints nothing.
 */

import { describeFailure, runNotebook } from "../../dist/kernel/run.js";

/** The longest cells train for minutes on two cores; this is for machines a few times slower. */
const CELL_TIMEOUT_SECONDS = 3600;

const [path = "", outputPath = ""] = process.argv.slice(2);

/** @type {import("./course.mjs").NotebookResult} */
let result;
try {
  const { seconds, peakMemoryBytes, failure } = await runNotebook(path, {
    outputPath,
    cellTimeoutSeconds: CELL_TIMEOUT_SECONDS,
    onCell: ({ index, title }) => process.send?.(`cell ${index + 1} done: ${title}`),
  });
  result = {
    seconds,
    ...(peakMemoryBytes && { peakMemoryBytes }),
    ...(failure && { failure: describeFailure(path, failure) }),
  };
} catch (error) {
  result = { seconds: process.uptime(), failure: error instanceof Error ? error.message : String(error) };
}
process.send?.(result, () => process.exit(result.failure ? 1 : 0));
