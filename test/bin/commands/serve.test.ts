/** `fledge serve` as a process of its own, so that the server's memory is measured without its clients'. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../../src/paths.js";

/** The address that the command prints. */
async function addressOf(server: ChildProcess): Promise<string> {
  let printed = "";
  for await (const chunk of server.stdout ?? []) {
    printed += String(chunk);
    const [, address] = /on the page (http:\S+)/.exec(printed) ?? [];
    if (address !== undefined) return address;
  }
  throw new Error(`The server ended after "${printed}".`);
}

/** The most memory that a process held since it began, bytes; Linux keeps it in its table of processes. */
const peakBytes = (id: number) => 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1]);

test("fledge serve refuses a prompt of 10 MB with 413, announced or not, without holding it, and ends at Ctrl-C while it writes", async (t) => {
  const fledge = join(packageRoot(), "dist/bin/fledge.js");
  const server = spawn(process.execPath, [fledge, "serve", "fledge-base", "--port", "0", "--name", "m"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => server.kill("SIGKILL"));
  const ended = once(server, "exit");
  const url = await addressOf(server);
  const giant = JSON.stringify({ prompt: "x".repeat(10e6) });
  const chunked = () =>
    new ReadableStream({
      start(controller) {
        for (let at = 0; at < giant.length; at += 65_536) controller.enqueue(Buffer.from(giant.slice(at, at + 65_536)));
        controller.close();
      },
    });
  const post = (body: string | ReadableStream) =>
    fetch(`${url}/v1/completions`, {
      ...{ method: "POST", headers: { "content-type": "application/json" }, body },
      ...(typeof body !== "string" && { duplex: "half" as const }),
    });
  const answer = await post(JSON.stringify({ prompt: "The", max_tokens: 2 }));
  assert.equal(answer.status, 200);
  const refuse = async () => {
    assert.equal((await post(giant)).status, 413);
    const response = await post(chunked());
    assert.equal(response.status, 413);
    const { error } = (await response.json()) as { error: { message: string } };
    assert.equal(error.message, "The body is longer than 1000000 bytes.");
  };
  await refuse();
  const hasProcessTable = process.platform === "linux";
  const before = hasProcessTable ? peakBytes(server.pid as number) : 0;
  for (let i = 0; i < 9; i++) await refuse();
  // Eighteen bodies are 180 MB; what one of them leaves waits for the garbage collector.
  if (hasProcessTable) {
    const grown = peakBytes(server.pid as number) - before;
    assert.ok(grown < 90e6, `${grown} bytes`);
    t.diagnostic(`the peak grew by ${(grown / 1e6).toFixed(1)} MB`);
  } else t.diagnostic(`memory was not compared: ${process.platform} has no /proc`);
  const writing = await post(JSON.stringify({ prompt: "The", max_tokens: 480, n: 4, stream: true }));
  const reader = writing.body?.getReader();
  await reader?.read();
  server.kill("SIGINT");
  assert.deepEqual(await ended, [0, null]);
  const cut = async () => {
    while (!(await reader?.read())?.done);
  };
  await assert.rejects(cut(), TypeError);
});
