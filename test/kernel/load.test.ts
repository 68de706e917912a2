/** Much at once: nothing lost, nothing out of order, nothing after idle. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "../../kernel/protocol.js";
import { runCell, withKernel } from "./harness.js";

const count = (n: number) => Array.from({ length: n }, (_, i) => i);

test("kernel delivers all, in order, before idle", async (t) => {
  await withKernel(async (client) => {
    // What comes after idle belongs to no request any more.
    const late: string[] = [];
    client.onStray = ({ header }) => late.push(header.msg_type);

    await t.test("20,000 printed lines, gathered by time into far fewer messages", async () => {
      const { stdout, messages } = await runCell(client, 'for (let i = 0; i < 20_000; i++) console.log("line", i);');
      assert.equal(
        stdout,
        count(20_000)
          .map((i) => `line ${i}\n`)
          .join(""),
      );
      assert.ok(messages.length < 5000, `${messages.length} messages`);
    });

    await t.test("4,000 display updates", async () => {
      const { messages } = await runCell(
        client,
        'const shown = display({ "text/plain": "start" }); for (let i = 0; i < 4000; i++) shown.update({ "text/plain": String(i) });',
      );
      const updates = messages.filter(({ header }) => header.msg_type === "update_display_data");
      assert.deepEqual(
        updates.map(({ content }) => Number((content.data as Json)["text/plain"])),
        count(4000),
      );
    });

    await t.test("700 quick cells sent at once, each with a line, a display and a result", async () => {
      const order: number[] = [];
      const onOutput = ({ header, content }: { header: { msg_type: string }; content: Json }) => {
        if (header.msg_type === "execute_result") order.push(Number((content.data as Json)["text/plain"]));
      };
      const runs = await Promise.all(
        count(700).map((i) => runCell(client, `console.log(${i}); display("d${i}"); ${i}`, { onOutput })),
      );
      for (const [i, { messages, stdout, result }] of runs.entries()) {
        assert.deepEqual([stdout, result], [`${i}\n`, String(i)]);
        assert.deepEqual(
          messages.map(({ header }) => header.msg_type),
          ["status", "execute_input", "stream", "display_data", "execute_result"],
        );
      }
      assert.deepEqual(order, count(700));
    });

    await t.test("nothing came after idle", () => assert.deepEqual(late, []));
  });
});

test("heartbeat, completion, inspection and interrupt are answered while a cell floods and computes", async () => {
  await withKernel(async (client) => {
    const flood = runCell(client, 'let n = 0; while (true) { n++; if (n % 1000 === 0) console.log("n", n); }');
    await client.heartbeat();
    const ask = async (type: string, content: Json) => (await client.request("shell", type, content)).content;
    assert.deepEqual((await ask("complete_request", { code: "Math.flo", cursor_pos: 8 })).matches, ["floor"]);
    assert.equal((await ask("inspect_request", { code: "Math.floor", cursor_pos: 7 })).found, true);
    await client.heartbeat();
    await client.interrupt();
    const { reply, stdout } = await flood;
    assert.equal(reply.ename, "KeyboardInterrupt");
    const printed = stdout.trimEnd().split("\n").filter(Boolean);
    assert.deepEqual(
      printed,
      printed.map((_, i) => `n ${(i + 1) * 1000}`),
    );
  });
});
