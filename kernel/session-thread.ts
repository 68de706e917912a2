/**
 * The session's listening thread. In: commands of the kernel on fd 4. Out: the same commands, as messages to the thread
 * that runs the cells; an interrupt also raises the shared flag at once, because that thread may be busy. It also tells the
 * kernel how much memory the process has needed, for the report of a session that dies.
 * When the kernel is gone it ends the process, whatever runs in it.
 */
import { Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { LineReader, type SessionCommand, type SessionNote } from "./channel.js";
import { FLAG } from "./interrupt.js";

const MEMORY_MILLISECONDS = 250;

const flag: Int32Array = workerData;
const lines = new LineReader();
const commands = new Socket({ fd: 4, readable: true, writable: true });

commands.on("data", (bytes) => {
  for (const line of lines.read(bytes)) {
    const command: SessionCommand = JSON.parse(line);
    if (command.type === "interrupt") {
      Atomics.store(flag, FLAG.sequence, command.sequence);
      Atomics.store(flag, FLAG.raised, 1);
    }
    parentPort?.postMessage(command);
  }
});
const end = () => process.kill(process.pid, "SIGKILL");
commands.on("end", end);
commands.on("error", end);
tellMemory();

function tellMemory(): void {
  let told = 0;
  setInterval(() => {
    const peakMemoryBytes = process.resourceUsage().maxRSS * 1024;
    if (peakMemoryBytes < told * 1.01) return;
    told = peakMemoryBytes;
    commands.write(`${JSON.stringify({ peakMemoryBytes } satisfies SessionNote)}\n`);
  }, MEMORY_MILLISECONDS).unref();
}
