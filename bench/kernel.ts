/**
 * Fledge's kernel beside tslab and ipykernel, one after the other on the same machine, over real sockets. In: nothing
 * (`npm run bench:kernel`, on an idle machine). Out: a table, medians where something is done more than once, and whether our
 * targets hold; then how long our kernel takes to stop each kind of cell (kernel-stop.ts). Memory is proportional set size,
 * summed over a kernel's processes. It asserts nothing.
 */
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { KernelClient } from "../kernel/client.js";
import type { Message } from "../kernel/protocol.js";
import { packageRoot } from "../src/paths.js";
import { machine, median } from "./figures.js";
import { printStops } from "./kernel-stop.js";

/** A kernel, and the same work in its language. */
interface Contestant {
  readonly name: string;
  readonly command?: (connectionFile: string) => readonly string[];
  readonly trivial: string;
  readonly completion: string;
  readonly lines: string;
  /** Computes for two seconds without ever waiting. */
  readonly busy: string;
}

const LINES = 20_000;
const root = packageRoot();
const javascript = {
  trivial: "1 + 1",
  completion: "Math.flo",
  lines: `for (let i = 0; i < ${LINES}; i++) console.log("line", i);`,
  busy: "{ const until = Date.now() + 2000; while (Date.now() < until); }",
};
const contestants: readonly Contestant[] = [
  { name: "Fledge", ...javascript },
  {
    name: "tslab",
    ...javascript,
    command: (file) => [process.execPath, join(root, "node_modules/tslab/bin/tslab"), "kernel", "--config-path", file],
  },
  {
    name: "ipykernel",
    command: (file) => [join(root, ".venv/bin/python"), "-m", "ipykernel_launcher", "-f", file],
    trivial: "1 + 1",
    completion: "''.splitl",
    lines: `for i in range(${LINES}): print("line", i)`,
    busy: "import time\nuntil = time.time() + 2\nwhile time.time() < until: pass",
  },
];

type Figures = Readonly<Record<string, number | undefined>>;

// A kernel that has lost a message never says that it is idle.
const PATIENCE_MILLISECONDS = 20_000;

async function measure({ command, trivial, completion, lines, busy }: Contestant): Promise<Figures> {
  const startedAt = performance.now();
  const client = await KernelClient.start({ folder: tmpdir(), ...(command ? { command } : {}) });
  try {
    const ready = performance.now() - startedAt;
    await client.execute(trivial);
    const firstCell = performance.now() - startedAt;
    await sleep(1000);
    const megabytes = memoryBytes(client.process.pid ?? 0) / 1e6;
    const cell = await timed(41, () => client.execute(trivial));
    const complete = await timed(21, () =>
      client.request("shell", "complete_request", { code: completion, cursor_pos: completion.length }),
    );
    let arrived = "";
    const onOutput = ({ header, content }: Message) => {
      if (header.msg_type === "stream") arrived += String(content.text);
    };
    const printed = await timed(1, () => client.execute(lines, { onOutput }));
    const computing = client.execute(busy).catch(() => undefined); // ended with its kernel
    await sleep(500);
    // One that is not answered within the cell's two seconds tells as much.
    const heartbeat = await timed(21, () => client.heartbeat());
    await Promise.race([computing, sleep(PATIENCE_MILLISECONDS, undefined, { ref: false })]);
    return {
      "start to ready, ms": ready,
      "start to the end of the first cell, ms": firstCell,
      "idle memory, MB": megabytes,
      "trivial cell, ms": cell,
      "completion, ms": complete,
      [`${LINES.toLocaleString("en")} lines, ms`]: printed,
      "of these arrived": arrived.split("\n").length - 1,
      "heartbeat under a busy cell, ms": heartbeat,
    };
  } finally {
    await client.kill();
  }
}

// undefined: it never ended.
async function timed(times: number, run: () => Promise<unknown>): Promise<number | undefined> {
  const milliseconds: number[] = [];
  for (let i = 0; i < times; i++) {
    const startedAt = performance.now();
    const late = sleep(PATIENCE_MILLISECONDS, "late", { ref: false });
    if ((await Promise.race([run(), late])) === "late") return undefined;
    milliseconds.push(performance.now() - startedAt);
  }
  return median(milliseconds);
}

// A page that two processes share counts half for each.
function memoryBytes(pid: number): number {
  const own = Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]) * 1024;
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim().split(" ").filter(Boolean),
  );
  return children.reduce((sum, child) => sum + memoryBytes(Number(child)), own);
}

const targets: Readonly<Record<string, number>> = {
  "start to ready, ms": 1500,
  "trivial cell, ms": 15,
  "heartbeat under a busy cell, ms": 10,
  "idle memory, MB": 200,
};

console.log(machine());
const figures: Figures[] = [];
for (const contestant of contestants) figures.push(await measure(contestant));
console.log(`| | ${contestants.map(({ name }) => name).join(" | ")} | target |`);
console.log(`|---|${contestants.map(() => "---|").join("")}---|`);
for (const name of Object.keys(figures[0] ?? {})) {
  const target = targets[name];
  const digits = name.includes("heartbeat") ? 2 : name.includes("arrived") ? 0 : 1;
  const worded = figures.map((each) => each[name]?.toFixed(digits) ?? "never");
  const ours = figures[0]?.[name] ?? Number.NaN;
  console.log(
    `| ${name} | ${worded.join(" | ")} | ${target === undefined ? "" : `≤ ${target}: ${ours <= target ? "held" : "missed"}`} |`,
  );
}
await printStops();
