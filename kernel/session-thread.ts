/**
 * The session's listening thread. In: commands of the kernel on fd 4. Out: the same commands, as messages to the thread
 * that runs the cells; an interrupt also raises the shared flag at once, because that thread may be busy.
 * When the kernel is gone it ends the process, whatever runs in it.
 */
import { Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { LineReader, type SessionCommand } from "./channel.js";
import { FLAG } from "./interrupt.js";

const flag: Int32Array = workerData;
const lines = new LineReader();
const commands = new Socket({ fd: 4, readable: true, writable: false });

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
