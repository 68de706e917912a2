/**
 * `fledge doctor`: says whether this machine can run the course, one finding a line. In: the folder of Fledge. Out: findings
 * with the fix where something is missing. It changes nothing and needs no network; it opens the engine for a moment.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { freeConnection } from "../../kernel/connection.js";
import { chooseEngine } from "../../src/engine/choose.js";
import { packageRoot } from "../../src/paths.js";
import { formatBytes } from "../../src/view/format.js";
import type { Command } from "../command.js";

/** The command. */
export const doctor: Command = {
  help: `Usage: fledge doctor

Looks at Node, Python, JupyterLab, the kernel, the engine, the GPU, the ports and the disk, one line each, with the fix where
something is missing. Exit code 0 when the course can run here, else 1.
`,
  async run() {
    const findings = await examine();
    for (const finding of findings) process.stdout.write(`${formatFinding(finding)}\n`);
    return findings.some(({ verdict }) => verdict === "fail") ? 1 : 0;
  },
};

/** One thing that was looked at. */
export interface Finding {
  readonly name: string;
  /** "slow" works, but not as it should. */
  readonly verdict: "ok" | "slow" | "fail";
  /** What was found: `3.11.7 in .venv`. */
  readonly found: string;
  /** The command or step that mends it; absent when all is well. */
  readonly fix?: string;
}

/** Below this a training run may not be able to write its checkpoints. */
const SMALL_DISK_BYTES = 2e9;
const OLDEST_NODE = "20.12";
const SET_UP = "run `npm run setup`";

const run = promisify(execFile);

/**
 * Looks at everything the course needs.
 *
 * @param root the folder that holds Fledge's package.json and .venv; default: where this file is installed
 * @returns Node, Python, JupyterLab, kernel, engine (TensorFlow), GPU, ports and disk, in that order
 */
export async function examine(root: string = packageRoot()): Promise<Finding[]> {
  return [
    checkNode(process.versions.node),
    await checkPython(root),
    await checkJupyterLab(root),
    checkKernel(root),
    await checkEngine(),
    await checkGpu(),
    await checkPorts(),
    await checkDisk(root),
  ];
}

/** @returns one line: `ok    Node        20.20.2`, with the fix on a second line where there is one */
export function formatFinding({ name, verdict, found, fix }: Finding): string {
  const line = `${verdict.padEnd(5)} ${name.padEnd(12)} ${found}`;
  return fix ? `${line}\n      ${"".padEnd(12)} Fix: ${fix}.` : line;
}

/** @param version as in `process.versions.node` */
export function checkNode(version: string): Finding {
  const name = "Node";
  if (version.localeCompare(OLDEST_NODE, "en", { numeric: true }) >= 0) return { name, verdict: "ok", found: version };
  const fix = `install Node ${OLDEST_NODE} or newer from https://nodejs.org`;
  return { name, verdict: "fail", found: `${version}, older than ${OLDEST_NODE}`, fix };
}

async function checkPython(root: string): Promise<Finding> {
  const name = "Python";
  const version = await ask(root, "import platform; print(platform.python_version())");
  return version
    ? { name, verdict: "ok", found: `${version} in .venv` }
    : { name, verdict: "fail", found: "no .venv whose Python runs", fix: SET_UP };
}

async function checkJupyterLab(root: string): Promise<Finding> {
  const name = "JupyterLab";
  const version = await ask(root, "from importlib.metadata import version; print(version('jupyterlab'))");
  return version
    ? { name, verdict: "ok", found: version }
    : { name, verdict: "fail", found: "not installed in .venv", fix: SET_UP };
}

function checkKernel(root: string): Finding {
  const name = "Kernel";
  const file = join(root, ".venv", "share", "jupyter", "kernels", "fledge", "kernel.json");
  return existsSync(file)
    ? { name, verdict: "ok", found: file }
    : {
        name,
        verdict: "fail",
        found: "not installed in .venv",
        fix: "run `npm run setup`, or `fledge kernel install`",
      };
}

/** Opens the engine that would be chosen, and closes it. */
export async function checkEngine(): Promise<Finding> {
  const name = "Engine";
  try {
    const { engine, reason } = await chooseEngine();
    await engine.dispose();
    if (engine.name === "tensorflow" || engine.name === "pjrt") return { name, verdict: "ok", found: reason };
    return {
      name,
      verdict: "slow",
      found: reason,
      fix: "run `npm run setup` to install TensorFlow, and unset FLEDGE_ENGINE",
    };
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    return { name, verdict: "fail", found, fix: "unset FLEDGE_ENGINE to have the engine chosen" };
  }
}

/** @param program asks the NVIDIA driver for name, memory in MiB and driver version of every GPU */
export async function checkGpu(program = "nvidia-smi"): Promise<Finding> {
  const name = "GPU";
  const question = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits"];
  let answer: string;
  try {
    answer = (await run(program, question, { timeout: 20_000 })).stdout.trim();
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (isMissing) return { name, verdict: "ok", found: "no NVIDIA driver: the processor computes" };
    const found = `${program} fails: ${error instanceof Error ? error.message.trim().split("\n").at(-1) : error}`;
    return { name, verdict: "slow", found, fix: "install the NVIDIA driver again, and restart the machine" };
  }
  const [title = "", mebibytes = "", driver = ""] = (answer.split("\n")[0] ?? "").split(", ");
  const found = `${title}, ${formatBytes(Number(mebibytes) * 2 ** 20)}, driver ${driver}`;
  if (process.env.FLEDGE_TENSORFLOW) return { name, verdict: "ok", found };
  const fix = "set FLEDGE_TENSORFLOW to the tensorflow folder of `pip install tensorflow[and-cuda]`";
  return { name, verdict: "slow", found: `${found}, not used: TensorFlow is built for the processor`, fix };
}

/** @param takePorts takes five free ports of this machine, as a kernel does, and gives them back */
export async function checkPorts(takePorts: () => Promise<unknown> = freeConnection): Promise<Finding> {
  const name = "Ports";
  try {
    await takePorts();
    return { name, verdict: "ok", found: "five free ones on 127.0.0.1 for a kernel" };
  } catch (error) {
    const found = `cannot listen on 127.0.0.1: ${error instanceof Error ? error.message : error}`;
    return {
      name,
      verdict: "fail",
      found,
      fix: "bring up the loopback interface, or let node listen on it in your firewall",
    };
  }
}

/** @param smallBytes less free space than this fails */
export async function checkDisk(root: string, smallBytes = SMALL_DISK_BYTES): Promise<Finding> {
  const { bavail, bsize } = await statfs(root);
  const freeBytes = bavail * bsize;
  const found = `${(freeBytes / 1e9).toFixed(1)} GB free`;
  if (freeBytes >= smallBytes) return { name: "Disk", verdict: "ok", found };
  return { name: "Disk", verdict: "fail", found, fix: "free 2 GB: every checkpoint holds the model three times" };
}

async function ask(root: string, script: string): Promise<string | undefined> {
  const parts = process.platform === "win32" ? ["Scripts", "python.exe"] : ["bin", "python"];
  try {
    const { stdout } = await run(join(root, ".venv", ...parts), ["-c", script], { timeout: 20_000 });
    return stdout.trim();
  } catch {
    return undefined;
  }
}
