/**
 * The real tslab behind our kernelspec: what is cured, what the course needs our kernel for, and at most two notebooks of the
 * course, run by Jupyter on the installed kernelspec.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import ts from "typescript";
import { KernelClient } from "../../kernel/client.js";
import { installKernel, tslabSpec } from "../../kernel/install.js";
import { declaredNames } from "../../kernel/names.js";
import { cellSource, type Notebook, readNotebook, writeNotebook } from "../../kernel/notebook.js";
import type { Json } from "../../kernel/protocol.js";
import { packageRoot } from "../../src/paths.js";
import { courseFolder, notebookNames, quickEnvironment } from "../notebooks/course.js";
import { type CellRun, runCell } from "./harness.js";

/** What tslab cannot do: a cell that shows it, what it says then, and whether a cell of a notebook needs it. */
interface Defect {
  readonly cell: string;
  readonly message: RegExp;
  neededBy(source: string, earlier: ReadonlySet<string>): boolean;
}

// When one of these no longer fails, README and docs/kernel.md say too much.
const defects = {
  "{ shorthand } of an earlier cell": {
    cell: "({ kept })",
    message: /ReferenceError: kept is not defined/,
    neededBy: (source, earlier) => shorthands(source).some((name) => earlier.has(name)),
  },
  "for await at the top level": {
    cell: "for await (const n of [1]) n;",
    message: /Unexpected reserved word/,
    neededBy: (source) => /^for await\b/m.test(source),
  },
  "what a filter narrows, since TypeScript 5.5": {
    cell: 'type E = { type: "a"; n: number } | { type: "b" }; const es: E[] = []; es.find((e) => e.type === "a")?.n',
    message: /Property 'n' does not exist/,
    neededBy: (source) => /\.(find|findLast|filter)\(\((\w+)\) => \2\.type === /.test(source),
  },
} as const satisfies Readonly<Record<string, Defect>>;

// The notebooks that need our kernel, by how their names begin, and why. README and docs/kernel.md name the same.
const needsOurs: Readonly<Record<string, keyof typeof defects>> = {
  "03": "{ shorthand } of an earlier cell",
  "04": "for await at the top level",
  "05": "what a filter narrows, since TypeScript 5.5",
};
const MOST_NOTEBOOKS = 1; // each takes about ten seconds of a core

const python = join(packageRoot(), ".venv", "bin", "python");
const skip = existsSync(python) ? false : "no .venv: npm run setup makes it";

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

    for (const [defect, { cell, message }] of Object.entries(defects)) {
      await t.test(`still fails at ${defect}, which works in ours`, async () => {
        await run("const kept = 1;");
        assert.match((await run(cell)).stderr, message);
      });
    }
  });
});

for (const [start, defect] of Object.entries(needsOurs)) {
  test(`notebook ${start} of the course needs our kernel: ${defect}`, async () => {
    const name = notebookNames.find((each) => each.startsWith(start)) ?? "";
    const { neededBy }: Defect = defects[defect];
    const earlier = new Set<string>();
    const needs = codeCells(await readNotebook(join(courseFolder, name))).some((source) => {
      const needed = neededBy(source, earlier);
      for (const { name } of declaredNames(source)) earlier.add(name);
      return needed;
    });
    assert.ok(needs, `no cell of ${name} does any more: take it out of needsOurs, README and docs/kernel.md`);
  });
}

test("Jupyter starts tslab from the installed kernelspec, and notebooks of the course run on it", {
  skip,
}, async (t) => {
  // Below Fledge's folder: elsewhere TypeScript 5.0 finds no portable name for the types of arquero.
  mkdirSync(join(packageRoot(), ".fledge"), { recursive: true });
  const folder = mkdtempSync(join(packageRoot(), ".fledge", "tslab-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  installKernel({ dataDir: join(folder, "jupyter") });

  await t.test("a tiny notebook", async () => {
    const cell = (source: string, id: string) => ({
      id,
      cell_type: "code" as const,
      metadata: {},
      source,
      outputs: [],
    });
    const sources = ["const n: number = 40;", 'console.log("n is", n);', "n + 2"];
    const cells = sources.map((source, i) => ({ ...cell(source, `cell-${i}`), execution_count: null }));
    await writeNotebook(join(folder, "tiny.ipynb"), { cells, metadata: {}, nbformat: 4, nbformat_minor: 5 });
    const { said, notebook } = await runByJupyter(folder, "tiny.ipynb");
    assert.equal(said, "");
    const texts = notebook.cells.map(({ outputs }) =>
      (outputs ?? []).map(({ text }) => [text].flat().join("")).join(""),
    );
    assert.deepEqual(texts, ["", "n is 40\n", "42\n"]);
  });

  const candidates = notebookNames.filter((name) => !Object.keys(needsOurs).some((start) => name.startsWith(start)));
  assert.ok(candidates.length > 0, "no notebook of the course runs on tslab");
  for (const name of candidates.slice(0, MOST_NOTEBOOKS)) {
    await t.test(name, async () => {
      cpSync(join(courseFolder, name), join(folder, name));
      const { said, notebook } = await runByJupyter(folder, name);
      const wrong = notebook.cells.find(({ outputs }) => outputs?.some(isError));
      const shown = wrong ? `${cellSource(wrong)}\n${JSON.stringify(wrong.outputs?.filter(isError))}` : said;
      const advice = `write the cell so that TypeScript 5.0 and CommonJS take it, or put ${name} into needsOurs with its reason`;
      assert.equal(shown, "", `${name} does not run on tslab: ${advice}, and into README and docs/kernel.md.`);
    });
  }
});

// What nbclient says when a cell fails, and the notebook with its outputs.
async function runByJupyter(folder: string, name: string): Promise<{ said: string; notebook: Notebook }> {
  const path = join(folder, name);
  const script = join(packageRoot(), "test", "kernel", "run_with_jupyter.py");
  const { status, stderr, error } = spawnSync(python, ["-B", script, "fledge-tslab", path], {
    env: {
      ...quickEnvironment,
      JUPYTER_PATH: join(folder, "jupyter"),
      JUPYTER_RUNTIME_DIR: join(folder, "runtime"),
    },
    encoding: "utf8",
  });
  return { said: status === 0 ? "" : `${stderr}${error ?? ""}`, notebook: await readNotebook(path) };
}

// tslab prints errors of types and of the cell on stderr.
function isError(output: Json): boolean {
  if (output.output_type === "error") return true;
  return output.name === "stderr" && /Error|^\d+:\d+ - /m.test([output.text].flat().join(""));
}

function codeCells({ cells }: Notebook): string[] {
  return cells.filter(({ cell_type }) => cell_type === "code").map(cellSource);
}

function shorthands(source: string): string[] {
  const names: string[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isShorthandPropertyAssignment(node)) names.push(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile("cell.ts", source, ts.ScriptTarget.ESNext));
  return names;
}
