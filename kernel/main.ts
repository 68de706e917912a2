/**
 * Entry of the kernel process: `node dist/kernel/main.js <connection file>`. Binds the sockets, connects them to a kernel,
 * and ends with its parent. Prints nothing when all is well.
 */
import { randomUUID } from "node:crypto";
import { packageRoot } from "../src/paths.js";
import { readConnectionFile } from "./connection.js";
import { Kernel } from "./kernel.js";
import { bindKernelSockets, type KernelSockets } from "./sockets.js";

const PARENT_CHECK_MILLISECONDS = 1000;

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
