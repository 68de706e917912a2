import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json, Message } from "../../kernel/protocol.js";
import { runCell, withKernel } from "./harness.js";

const shownIn = (messages: readonly Message[]) =>
  messages
    .filter(({ header }) => /display_data/.test(header.msg_type))
    .map(({ header, content }) => ({
      type: header.msg_type,
      data: content.data as Json,
      id: (content.transient as Json).display_id,
    }));

test("what cells find without an import", async (t) => {
  await withKernel(async (client) => {
    await t.test(
      "display() shows any value in its best form and gives a display that can be updated, by name too",
      async () => {
        const { messages, reply } = await runCell(
          client,
          `const shown = display("text");
         shown.update({ "text/html": "<b>b</b>" });
         display.update(shown.displayId, new Map([[1, 2]]));
         display({ columnNames: () => ["n"], objects: () => [{ n: 1 }] });
         await display({ async [Symbol.for("Jupyter.display")]() { return { "text/plain": "later" }; } });`,
        );
        const shown = shownIn(messages);
        assert.deepEqual(
          shown.map(({ type, data }) => [type, data["text/plain"] ?? data["text/html"]]),
          [
            ["display_data", "text"],
            ["update_display_data", "<b>b</b>"],
            ["update_display_data", "Map(1) { 1 => 2 }"],
            ["display_data", "     n\nnumber\n     1\n1 row × 1 column"],
            ["display_data", "later"],
          ],
          JSON.stringify(reply),
        );
        assert.deepEqual(new Set(shown.slice(0, 3).map(({ id }) => id)).size, 1);
        assert.notEqual(shown[3]?.id, shown[0]?.id);
      },
    );

    await t.test("display of fledge is the same function", async () => {
      const { result, reply } = await runCell(
        client,
        'const own = display; { const { display } = await import("fledge"); own === display; }\n(await import("fledge")).display === own',
      );
      assert.equal(result, "true", JSON.stringify(reply));
    });

    await t.test(
      "progress() gives the values, typed, with count, speed and time left, and is over after break and Stop",
      async () => {
        const { messages, result, reply } = await runCell(
          client,
          `const seen: string[] = [];
         for (const word of progress(["a", "b", "c", "d"], { label: "reading", minimumIntervalMs: 0 })) {
           await new Promise((r) => setTimeout(r, 2));
           seen.push(word.toUpperCase());
           if (word === "c") break;
         }
         seen`,
        );
        assert.equal(result, "[ 'A', 'B', 'C' ]", JSON.stringify(reply));
        const lines = shownIn(messages).map(({ data }) => String(data["text/plain"]));
        assert.equal(lines[0], "reading · 0 % · 0 of 4");
        assert.match(lines[1] ?? "", /^reading · 25 % · 1 of 4 · [\d.,]+ a second · .* left$/);
        assert.match(lines.at(-1) ?? "", /^reading · 50 % · 2 of 4 · [\d.,]+ a second · stopped after /);
        assert.match(
          String(shownIn(messages)[1]?.data["text/html"]),
          /<progress max="4" value="1" aria-label="reading"/,
        );
        assert.equal(new Set(shownIn(messages).map(({ id }) => id)).size, 1);
      },
    );

    await t.test("progress() takes what is counted only while it comes", async () => {
      const { messages, stdout } = await runCell(
        client,
        `async function* numbers() { yield 1; yield 2; }
         for await (const n of progress(numbers())) console.log(n + 1);`,
      );
      assert.equal(stdout, "2\n3\n");
      assert.match(String(shownIn(messages).at(-1)?.data["text/plain"]), /^2 · [\d.,]+ a second · done after /);
    });

    await t.test("a result shows in its best form", async () => {
      for (const [code, ...kinds] of [
        ['import { table } from "arquero"; table({ n: [1, 2] })', "text/html", "text/plain"],
        [
          'import { barFigure } from "fledge"; barFigure({ title: "t", xTitle: "x", yTitle: "y", labels: ["a"], values: [1] })',
          "application/vnd.plotly.v1+json",
          "image/png",
          "image/svg+xml",
          "text/plain",
        ],
        ['Buffer.from("89504e470d0a1a0a", "hex")', "image/png", "text/plain"],
        [
          "({ width: 1, height: 1, toDataURL: (type: string) => 'data:' + type + ';base64,AAAA' })",
          "image/png",
          "text/plain",
        ],
        ['({ outerHTML: "<svg></svg>" })', "image/svg+xml", "text/plain"],
        ['({ toSpec: () => ({ mark: "bar" }) })', "application/vnd.vegalite.v5+json", "text/plain"],
      ] as const) {
        const { messages, reply } = await runCell(client, code);
        const shown = messages.find(({ header }) => header.msg_type === "execute_result")?.content.data ?? {};
        assert.deepEqual(Object.keys(shown).sort(), kinds, `${code}: ${JSON.stringify(reply)}`);
      }
    });

    await t.test("each is a name like any other", async () => {
      assert.equal(
        (await runCell(client, "const display = 1, progress = 2, comms = 3; display + progress + comms")).result,
        "6",
      );
    });
  });
});

test('import * as tslab from "tslab" gives tslab\'s API', async (t) => {
  await withKernel(async (client) => {
    await t.test("every kind of content arrives under its MIME type", async () => {
      const { messages, reply } = await runCell(
        client,
        `import * as tslab from "tslab";
         const { display } = tslab;
         display.javascript("1"); display.html("<b/>"); display.markdown("*m*"); display.latex("$x$"); display.svg("<svg/>");
         display.png(Uint8Array.of(1, 2, 3)); display.jpeg(Buffer.from("j")); display.gif(Uint8Array.of(4)); display.pdf(Uint8Array.of(5));
         display.text("t"); display.raw("text/x-own", "r");`,
      );
      assert.deepEqual(
        shownIn(messages).map(({ data }) => Object.entries(data)[0]),
        [
          ["text/javascript", "1"],
          ["text/html", "<b/>"],
          ["text/markdown", "*m*"],
          ["text/latex", "$x$"],
          ["image/svg+xml", "<svg/>"],
          ["image/png", "AQID"],
          ["image/jpeg", "ag=="],
          ["image/gif", "BA=="],
          ["application/pdf", "BQ=="],
          ["text/plain", "t"],
          ["text/x-own", "r"],
        ],
        JSON.stringify(reply),
      );
    });

    await t.test("newDisplay() overwrites itself", async () => {
      const { messages } = await runCell(
        client,
        "const d = tslab.newDisplay(); d.text('1'); d.html('2'); d.text('3');",
      );
      const shown = shownIn(messages);
      assert.deepEqual(
        shown.map(({ type }) => type),
        ["display_data", "update_display_data", "update_display_data"],
      );
      assert.equal(new Set(shown.map(({ id }) => id)).size, 1);
    });

    await t.test("versions, require, and types that are checked", async () => {
      const { result } = await runCell(client, "Object.keys(tslab.versions).concat(tslab.versions.tslab)");
      assert.equal(result, "[ 'tslab', 'typescript', 'node', '1.0.22' ]");
      assert.equal(
        (await runCell(client, 'require("tslab") === tslab && typeof require("node:fs").readFileSync')).result,
        "'function'",
      );
      const wrong = await runCell(client, "tslab.display.png('text');");
      assert.match(String(wrong.reply.evalue), /'string' is not assignable to parameter of type 'Uint8Array/);
    });
  });
});
