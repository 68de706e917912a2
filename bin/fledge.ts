#!/usr/bin/env node
/**
 * The `fledge` command. In: the words after `fledge`. Out: text and an exit code: 0 well, 1 something is wrong, 2 wrong usage.
 * It only reads the command line; the work is in the files beside it.
 */
import { argv, stderr, stdout } from "node:process";
import { nearest, problem } from "../src/message.js";
import { examine, formatFinding } from "./doctor.js";
import { kernelCommand } from "./kernel-command.js";

const HELP = `Usage: fledge <command>

  doctor             say whether this machine can run the course, with the fix where it cannot
  kernel install     install the TypeScript kernel for Jupyter
                       --user (default)   for you, in every Jupyter
                       --prefix DIR       into DIR/share/jupyter
                       --sys-prefix       into the active virtual environment
  kernel uninstall   remove it again; the same options
  kernel list        say where it is installed

The course itself starts with npm run course; JupyterLab with npm run lab.
`;

const COMMANDS = ["doctor", "kernel", "help"];

async function main(words: readonly string[]): Promise<number> {
  const [command = "help", ...rest] = words;
  if (command === "help" || command === "--help" || command === "-h") {
    stdout.write(HELP);
    return 0;
  }
  if (command === "kernel") {
    await kernelCommand(rest, (line) => stdout.write(`${line}\n`));
    return 0;
  }
  if (command === "doctor") {
    const findings = await examine();
    for (const finding of findings) stdout.write(`${formatFinding(finding)}\n`);
    return findings.some(({ verdict }) => verdict === "fail") ? 1 : 0;
  }
  const near = nearest(command, COMMANDS);
  const found = "no such command";
  const expected = COMMANDS.join(", ");
  const fix = near ? `run \`fledge ${near}\`` : "run `fledge help`";
  throw new RangeError(problem({ cannot: `run "${command}"`, found, expected, fix }));
}

try {
  process.exitCode = await main(argv.slice(2));
} catch (error) {
  stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = error instanceof RangeError ? 2 : 1;
}
