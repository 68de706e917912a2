// @ts-check
/**
 * What `npm run course`, `npm test`, `npm run lab` and `npm run setup` start: plain JavaScript without packages, so that it
 * runs on a machine where nothing is installed yet. In: a command. Out: its exit code (0 done, 1 failed, 2 wrong usage,
 * 130 stopped by Ctrl-C). This file only reads the command line; the work is in bin/setup/.
 */

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { checkNode } from "./setup/machine.mjs";

const HELP = `Usage: node bin/bootstrap.mjs <command> [-- arguments]

  setup    install what is missing: Node packages, .venv, the compiled TypeScript, the Jupyter kernel
  course   set up, then run the six notebooks in order
             --quick     tiny runs, as the tests do them (FLEDGE_QUICK=1)
             --only 04   only the notebooks whose name contains this text
             --store     keep the outputs in the notebooks, for those who read them without a kernel
  test     set up, then check types, lint and run the tests
             -- data     only the test files whose path contains this text
  lab      set up, then open JupyterLab on notebooks/
             -- --no-browser --port 9000   any other argument goes to JupyterLab

Everything is installed inside this folder; delete it and nothing is left behind.
Environment: FLEDGE_PYTHON forces a Python, FLEDGE_ENGINE (tensorflow, wasm, cpu) forces an engine.
`;

const COMMANDS = ["setup", "course", "test", "lab"];

/**
 * @param {string[]} argv
 * @returns {Promise<number>} exit code
 */
async function main(argv) {
  const [command = "--help", ...rest] = argv;
  const args = rest.filter((argument, index) => argument !== "--" || rest.indexOf("--") !== index);
  if (command === "--help" || command === "-h" || command === "help") {
    process.stdout.write(HELP);
    return 0;
  }
  if (!COMMANDS.includes(command)) {
    process.stderr.write(`Cannot run ${command}: no such command, expected ${COMMANDS.join(", ")}. Fix: see --help.\n`);
    return 2;
  }
  checkNode(process.versions.node);

  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const controller = new AbortController();
  const stop = () => {
    process.exitCode = 130;
    controller.abort();
    process.stderr.write("\nStopped. What is done stays done: run the same command to go on.\n");
    setTimeout(() => process.exit(130), 500); // A moment for the running program to end.
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);

  // Loaded only now: these files need Node 20.
  const { setUp } = await import("./setup/steps.mjs");
  await setUp({ root, withTests: command === "test", signal: controller.signal, out: process.stdout });
  process.stdout.write("\n");
  if (command === "setup") {
    process.stdout.write("Ready. Next: npm run course, npm run lab or npm test.\n");
    return 0;
  }
  if (command === "course") {
    const { runCourse } = await import("./setup/course.mjs");
    return runCourse({ root, args, signal: controller.signal, out: process.stdout });
  }
  process.off("SIGINT", stop); // The tests and JupyterLab have the terminal: Ctrl-C is theirs.
  process.off("SIGTERM", stop);
  if (command === "test") return (await import("./setup/test.mjs")).runTests(root, args);
  return (await import("./setup/lab.mjs")).runLab(root, args);
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    if (process.exitCode === 130) return; // Stopped by hand: what was cut short is no news.
    const known = error instanceof Error && error.name === "SetupError";
    process.stderr.write(`\n${known ? error.message : (error?.stack ?? error)}\n`);
    process.exitCode = 1;
  },
);
