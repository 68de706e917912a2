/**
 * How long Fledge's kernel takes to stop a cell: from the interrupt request to the cell's reply, and to the end of the next
 * cell, which for training waits for the step and its checkpoint. In: nothing; bench/kernel.ts calls it. Out: a table beside the
 * target. It asserts nothing; that variables are kept is shown by test/kernel.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { KernelClient } from "../kernel/client.js";
import type { Message } from "../kernel/protocol.js";
import { median } from "./figures.js";

const TARGET_MILLISECONDS = 200;
const TIMES = 7;

const before = `import { train, watch } from "fledge";
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
let n = 0;
const settings = () => ({
  maxDocuments: 32, blockSize: 256, maxSteps: 100000, warmupSteps: 2,
  outputDir: "run-" + Date.now(), finalModelDir: "model",
});`;
// Each says "started" once it runs.
const cells: Readonly<Record<string, string>> = {
  "a synchronous loop": "console.log('started'); while (true) n++;",
  "a synchronous loop after an await": "await pause(1); console.log('started'); while (true) n++;",
  "a timer loop": "console.log('started'); while (true) { await pause(1); n++; }",
  "a microtask loop": "console.log('started'); while (true) { await null; n++; }",
  "an awaited timer": "console.log('started'); await pause(1e8);",
  "a promise that never settles": "console.log('started'); await new Promise(() => undefined);",
  "training, in the middle of a step": `for await (const event of train(settings()))
  if (event.type === "step" && event.step === 3) console.log("started");`,
  "a watched run, in the middle of a step": `await watch((async function* () {
  for await (const event of train(settings())) {
    if (event.type === "step" && event.step === 3) console.log("started");
    yield event;
  }
})());`,
};

/** Stops each kind of cell a few times and prints median and longest, in milliseconds. */
export async function printStops(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "fledge-stop-"));
  const client = await KernelClient.start({ folder });
  try {
    await client.execute(before);
    console.log(
      "\n| Stop of | median, ms | longest, ms | target | next cell done, median, ms |\n|---|---|---|---|---|",
    );
    for (const [name, code] of Object.entries(cells)) {
      const stops: Stop[] = [];
      for (let i = 0; i < TIMES; i++) stops.push(await stopCell(client, code));
      const ended = stops.map((stop) => stop.ended);
      const longest = Math.max(...ended);
      const verdict = longest <= TARGET_MILLISECONDS ? "held" : "missed";
      const next = median(stops.map((stop) => stop.next)).toFixed(0);
      console.log(
        `| ${name} | ${median(ended).toFixed(1)} | ${longest.toFixed(1)} | ≤ ${TARGET_MILLISECONDS}: ${verdict} | ${next} |`,
      );
    }
  } finally {
    await client.kill();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Milliseconds since the interrupt request. */
interface Stop {
  readonly ended: number;
  readonly next: number;
}

async function stopCell(client: KernelClient, code: string): Promise<Stop> {
  let started: () => void = () => undefined;
  const running = new Promise<void>((resolve) => {
    started = resolve;
  });
  const onOutput = ({ header, content }: Message) => {
    if (header.msg_type === "stream" && String(content.text).includes("started")) started();
  };
  const reply = client.execute(code, { onOutput });
  const ended = reply.then(({ content }) => content.ename);
  // A cell that ends by itself has failed.
  const early = await Promise.race([running, ended]);
  if (early !== undefined) throw new Error(`the cell ended before it was stopped: ${early}\n${code}`);
  await sleep(100);
  const startedAt = performance.now();
  await client.interrupt();
  const how = await ended;
  const endedAfter = performance.now() - startedAt;
  if (how !== "KeyboardInterrupt") throw new Error(`the cell was not stopped: ${how}\n${code}`);
  await client.execute("n");
  return { ended: endedAfter, next: performance.now() - startedAt };
}
