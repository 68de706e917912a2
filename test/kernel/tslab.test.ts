/** The real tslab behind our kernelspec: what is cured, what the course needs our kernel for, and two notebooks of the course. */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { KernelClient } from "../../kernel/client.js";
import { tslabSpec } from "../../kernel/install.js";
import { cellSource, readNotebook } from "../../kernel/notebook.js";
import type { Json } from "../../kernel/protocol.js";
import { packageRoot } from "../../src/paths.js";
import { courseFolder, quickEnvironment } from "../notebooks/course.js";
import { type CellRun, runCell } from "./harness.js";

async function withTslab(folder: string, use: (run: (code: string) => Promise<CellRun>) => Promise<void>) {
  const { argv } = tslabSpec();
  const command = (file: string) => argv.map((word) => word.replace("{connection_file}", file));
  const client = await KernelClient.start({ folder, command, environment: quickEnvironment });
  try {
    await use(async (code) => {
      const ran = await runCell(client, code);
      // After an error it aborts whatever comes within 200 ms.
      if (ran.reply.status === "error") await new Promise((resolve) => setTimeout(resolve, 400));
      return ran;
    });
  } finally {
    await client.kill(); // tslab does not leave when asked
  }
}

test("tslab through our kernelspec", async (t) => {
  await withTslab(join(packageRoot(), "notebooks"), async (run) => {
    await t.test("loses no message of a burst", async () => {
      const { messages } = await run(
        'import * as tslab from "tslab"; for (let i = 0; i < 2000; i++) tslab.display.text(String(i));',
      );
      const shown = messages.filter(({ header }) => header.msg_type === "display_data");
      assert.deepEqual(
        shown.map(({ content }) => (content.data as Json)["text/plain"]),
        Array.from({ length: 2000 }, (_, i) => String(i)),
      );
    });

    await t.test("finds fledge and its types, and shows figures and tables", async () => {
      const wrong = await run(
        'import { display, resolveConfig, table } from "fledge"; resolveConfig({ batchSize: "four" })',
      );
      assert.match(wrong.stderr, /Type 'string' is not assignable to type 'number'/);
      const { messages, stderr } = await run(
        'import { display, table } from "fledge"; display(table([{ n: 1 }]), { displayId: "t" }); display("two", { displayId: "t", update: true }); table([{ n: 3 }])',
      );
      const shown = messages.filter(({ header }) => /display_data/.test(header.msg_type));
      assert.deepEqual(
        shown.map(({ header, content }) => [header.msg_type, Object.keys(content.data as Json).length]),
        [
          ["display_data", 2],
          ["update_display_data", 1],
          ["display_data", 2],
        ],
        stderr,
      );
    });

    // When one of these no longer fails, README and docs/kernel.md say too much.
    for (const [defect, code, message] of [
      ["{ shorthand } of an earlier cell", "({ kept })", /ReferenceError: kept is not defined/],
      ["for await at the top level", "for await (const n of [1]) n;", /Unexpected reserved word/],
      [
        "what a filter narrows, since TypeScript 5.5",
        'type E = { type: "a"; n: number } | { type: "b" }; const es: E[] = []; es.find((e) => e.type === "a")?.n',
        /Property 'n' does not exist/,
      ],
    ] as const) {
      await t.test(`still fails at ${defect}, which works in ours`, async () => {
        await run("const kept = 1;");
        assert.match((await run(code)).stderr, message);
      });
    }
  });
});

test("notebooks 1 and 2 of the course run on tslab", async (t) => {
  // Below Fledge's folder: elsewhere TypeScript 5.0 finds no portable name for the types of arquero.
  mkdirSync(join(packageRoot(), ".fledge"), { recursive: true });
  const folder = mkdtempSync(join(packageRoot(), ".fledge", "tslab-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["01-set-up.ipynb", "02-model-and-dataset.ipynb"]) {
    cpSync(join(courseFolder, name), join(folder, name));
    const { cells } = await readNotebook(join(folder, name));
    await withTslab(folder, async (run) => {
      for (const cell of cells.filter(({ cell_type }) => cell_type === "code")) {
        const { reply, stderr } = await run(cellSource(cell));
        assert.equal(reply.status, "ok", `${name}\n${cellSource(cell)}\n${stderr}`);
        assert.doesNotMatch(stderr, /Error|^\d+:\d+ - /, `${name}\n${cellSource(cell)}`);
      }
    });
  }
});
