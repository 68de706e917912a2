import assert from "node:assert/strict";
import { test } from "node:test";
import { type CellRun, runCell, withKernel } from "./harness.js";

test("input() in cells", async (t) => {
  await withKernel(async (client) => {
    await t.test("asks the front end, passwords too, and is typed", async () => {
      const asked: unknown[] = [];
      const onInput = (prompt: string, password: boolean) => {
        asked.push([prompt, password]);
        return `answer ${asked.length}`;
      };
      const { result, reply } = await runCell(
        client,
        'const a = await input("Name: ");\nconst b = await input("Token: ", { password: true });\n[a.length, b, await input()]',
        { onInput },
      );
      assert.equal(result, "[ 8, 'answer 2', 'answer 3' ]", JSON.stringify(reply));
      assert.deepEqual(asked, [
        ["Name: ", false],
        ["Token: ", true],
        ["", false],
      ]);
      const wrong = await runCell(client, "const n: number = await input();");
      assert.equal(wrong.reply.evalue, "Type 'string' is not assignable to type 'number'.");
      const { content } = await client.request("shell", "complete_request", { code: "inpu", cursor_pos: 4 });
      assert.deepEqual(content.matches, ["input"]);
    });

    await t.test("fails where nobody can answer: not allowed, or asked after the end of the cell", async () => {
      const message =
        "Cannot ask for input: a front end that takes no input, or a cell that has ended, expected a running cell in a notebook that somebody looks at. Fix: run the cell in JupyterLab, or put the value into the cell.";
      const refused = await runCell(client, 'await input("Name: ")');
      assert.equal(refused.reply.evalue, message);
      const late = await runCell(
        client,
        "let why = ''; const asks = new Promise<void>((r) => setTimeout(r, 50)).then(() => input()).catch((e: Error) => { why = e.message; });",
        { onInput: () => "never" },
      );
      assert.equal(late.reply.status, "ok");
      assert.equal((await runCell(client, "await asks; why", { onInput: () => "never" })).result, `'${message}'`);
    });

    await t.test("is given up by an interrupt, and a late answer goes nowhere", async () => {
      const stopped: Promise<CellRun> = runCell(client, "let got = 'nothing'; got = await input('Stop me');", {
        onInput: () => {
          void client.interrupt();
          return stopped.then(() => "too late");
        },
      });
      assert.equal((await stopped).reply.ename, "KeyboardInterrupt");
      assert.equal((await runCell(client, "got")).result, "'nothing'");
      assert.equal((await runCell(client, "await input()", { onInput: () => "next" })).result, "'next'");
    });

    await t.test("is a name like any other: a cell may declare its own", async () => {
      assert.equal((await runCell(client, "const input = 5; input")).result, "5");
    });
  });
});
