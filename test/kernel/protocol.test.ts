import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeMessage, type Message, newMessage } from "../../kernel/protocol.js";
import { runCell, withKernel } from "./harness.js";

test("kernel answers everything else of the protocol", async (t) => {
  await withKernel(async (client) => {
    const ask = async (type: string, content: Record<string, unknown>) =>
      (await client.request("shell", type, content)).content;

    await t.test("kernel_info is complete", async () => {
      const info = await ask("kernel_info_request", {});
      assert.equal(info.status, "ok");
      assert.equal(info.protocol_version, "5.4");
      assert.equal(info.implementation, "fledge");
      const { name, file_extension } = info.language_info as Record<string, string>;
      assert.deepEqual([name, file_extension], ["typescript", ".ts"]);
      assert.match(String(info.implementation_version), /^\d+\.\d+\.\d+/);
      assert.match(String(info.banner), /TypeScript/);
      assert.ok(Array.isArray(info.help_links) && info.help_links.length > 0);
      assert.equal(info.debugger, false, "there is none, and it says so");
    });

    await t.test("complete knows members, earlier cells and code points", async () => {
      await runCell(client, "const learningRate = 0.1;");
      const members = await ask("complete_request", { code: "'😀'; Math.flo", cursor_pos: 13 });
      assert.deepEqual([members.matches, members.cursor_start, members.cursor_end], [["floor"], 10, 13]);
      const earlier = await ask("complete_request", { code: "learn", cursor_pos: 5 });
      assert.deepEqual(earlier.matches, ["learningRate"]);
      assert.deepEqual(earlier.metadata, {
        _jupyter_types_experimental: [{ text: "learningRate", type: "const", start: 0, end: 5 }],
      });
    });

    await t.test("inspect shows type and documentation", async () => {
      const { found, data } = await ask("inspect_request", { code: "Math.floor", cursor_pos: 10, detail_level: 0 });
      assert.equal(found, true);
      const text = (data as Record<string, string>)["text/plain"] ?? "";
      assert.match(text, /^\(method\) Math\.floor\(x: number\): number/);
      assert.match(text, /greatest integer/);
      assert.equal((await ask("inspect_request", { code: "   ", cursor_pos: 1 })).found, false);
    });

    await t.test("a question mark asks for documentation", async () => {
      for (const code of ["?Math.floor", "Math.floor?"]) {
        const { reply } = await runCell(client, code);
        const [page] = reply.payload as { source: string; data: Record<string, string> }[];
        assert.equal(page?.source, "page");
        assert.match(page?.data["text/plain"] ?? "", /greatest integer/);
      }
      const { reply } = await runCell(client, "?nowhere");
      assert.match(JSON.stringify(reply.payload), /Nothing is known about nowhere\./);
    });

    await t.test("clear_output reaches the client", async () => {
      const clear = `(globalThis as unknown as Record<symbol, (options: object) => void>)[Symbol.for("fledge.clearOutput")]!({ wait: true })`;
      const { messages } = await runCell(client, clear);
      const [message] = messages.filter(({ header }) => header.msg_type === "clear_output");
      assert.deepEqual(message?.content, { wait: true });
    });

    await t.test("is_complete tells complete, incomplete and invalid code apart", async () => {
      for (const [code, status] of [
        ["const a = 1", "complete"],
        ["await f()", "complete"],
        ["for (const x of y) {", "incomplete"],
        ["const t = `abc", "incomplete"],
        ["f(1,", "incomplete"],
        ["/* open", "incomplete"],
        ["const a = = 1", "invalid"],
        ["const s = 'open", "invalid"],
      ] as const) {
        assert.equal((await ask("is_complete_request", { code })).status, status, code);
      }
      assert.equal((await ask("is_complete_request", { code: "  if (a) {" })).indent, "    ");
    });

    await t.test("history: tail, range and search", async () => {
      await runCell(client, "'history one'");
      await runCell(client, "'history two'");
      const tail = await ask("history_request", { hist_access_type: "tail", n: 2, output: false, raw: true });
      assert.deepEqual(
        (tail.history as unknown[][]).map((entry) => entry[2]),
        ["'history one'", "'history two'"],
      );
      const range = await ask("history_request", { hist_access_type: "range", session: 0, start: 1, stop: 2 });
      assert.deepEqual(range.history, [[0, 1, "const learningRate = 0.1;"]]);
      const search = await ask("history_request", { hist_access_type: "search", pattern: "*one*", output: true });
      assert.deepEqual(
        (search.history as unknown[][]).map((entry) => entry[2]),
        [["'history one'", null]],
      );
      await runCell(client, "'history two'");
      const found = async (more: object) => {
        const { history } = await ask("history_request", { hist_access_type: "search", pattern: "*two*", ...more });
        return (history as unknown[][]).map((entry) => entry[2]);
      };
      assert.deepEqual(await found({}), ["'history two'", "'history two'"]);
      assert.deepEqual(await found({ unique: true }), ["'history two'"]);
      assert.deepEqual(await found({ pattern: "'history t??'" }), ["'history two'", "'history two'"]);
    });

    await t.test("comm_info lists nothing, an unknown comm is closed", async () => {
      assert.deepEqual((await ask("comm_info_request", {})).comms, {});
    });

    await t.test("a wrong signature and junk get no reply and do no harm", async () => {
      const message = newMessage("kernel_info_request", "test", undefined, {});
      const answers: Message[] = [];
      client.onStray = (stray) => answers.push(stray);
      client.sendFrames("shell", encodeMessage(message, "wrong key"));
      client.sendFrames("shell", [Buffer.from("junk"), Buffer.alloc(1000, 255)]);
      client.sendFrames("shell", [Buffer.from("<IDS|MSG>"), Buffer.from(""), Buffer.from("{")]);
      client.sendFrames("shell", []);
      assert.equal((await ask("kernel_info_request", {})).status, "ok");
      client.onStray = () => undefined;
      assert.deepEqual(answers, []);
    });

    await t.test("heartbeat, completion and inspection are answered while a cell computes", async () => {
      let done = false;
      const busy = runCell(client, "const until = Date.now() + 700; while (Date.now() < until);").then(() => {
        done = true;
      });
      await client.heartbeat();
      assert.deepEqual((await ask("complete_request", { code: "Math.flo", cursor_pos: 8 })).matches, ["floor"]);
      assert.equal(done, false);
      await busy;
    });
  });
});
