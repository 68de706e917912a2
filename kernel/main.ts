/**
 * Entry of the kernel process: `node dist/kernel/main.js <connection file>`. Binds the sockets, connects them to a kernel,
 * and ends with its parent. Prints nothing when all is well.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { problem } from "../src/message.js";
import { packageRoot } from "../src/paths.js";
import { Kernel } from "./kernel.js";
import { bindKernelSockets, type ConnectionInfo, type KernelSockets } from "./sockets.js";

const PARENT_CHECK_MILLISECONDS = 1000;

/** Reads a Jupyter connection file. @throws Error when the file is missing, SyntaxError when it is no connection file */
export function readConnectionFile(path: string | undefined): ConnectionInfo {
  const cannot = "start the kernel";
  const fix = "let Jupyter start it, or run `node dist/kernel/run.js <notebook>`";
  if (path === undefined) {
    throw new Error(problem({ cannot, found: "no argument", expected: "the path of a connection file", fix }));
  }
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    throw new Error(problem({ cannot, found: `no readable file "${path}"`, expected: "a connection file", fix }));
  }
  try {
    const connection: ConnectionInfo = JSON.parse(text);
    if (typeof connection.shell_port === "number" && typeof connection.key === "string") return connection;
  } catch {
    // worded below
  }
  throw new SyntaxError(
    problem({ cannot, found: `"${path}" is no connection file`, expected: "JSON with ports and a key", fix }),
  );
}

async function main(): Promise<void> {
  const connection = readConnectionFile(process.argv[2]);
  const sessionId = randomUUID();
  let sockets: KernelSockets | undefined;
  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    await kernel.close();
    await sockets?.close();
    process.exit(0);
  };
  const kernel = new Kernel({
    sessionId,
    folder: process.cwd(),
    packageFolder: packageRoot(),
    onShutdown: () => void stop(),
  });
  sockets = await bindKernelSockets(connection, sessionId, (channel, message) => kernel.handle(channel, message));
  kernel.connect(sockets);
  process.on("SIGINT", () => kernel.interrupt());
  process.on("SIGTERM", () => void stop());
  endWithParent(() => void stop());
}

// Jupyter names the process that wants the kernel; when that is gone, nobody will ever ask for a shutdown.
function endWithParent(stop: () => void): void {
  const parent = Number(process.env.JPY_PARENT_PID ?? 0);
  if (!(parent > 1)) return;
  setInterval(() => {
    try {
      process.kill(parent, 0);
    } catch {
      stop();
    }
  }, PARENT_CHECK_MILLISECONDS).unref();
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
