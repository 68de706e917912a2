/**
 * The real tslab behind our kernelspec: what is cured, which cells of the course need our kernel and why, and that all others run
 * on it. FLEDGE_TSLAB=all runs all six notebooks in quick mode (about four minutes), else the first three.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import ts from "typescript";
import { KernelClient } from "../../kernel/client.js";
import { installKernel, tslabSpec } from "../../kernel/install.js";
import { declaredNames } from "../../kernel/names.js";
import { cellSource, type Notebook, readNotebook, writeNotebook } from "../../kernel/notebook.js";
import type { Json } from "../../kernel/protocol.js";
import { packageRoot } from "../../src/paths.js";
import { courseFolder, notebookNames, quickEnvironment } from "../notebooks/course.js";
import { type CellRun, runCell } from "./harness.js";

/** What tslab cannot do: a cell that shows it, what it says then, and how a cell of a notebook is written so that it can. */
interface Defect {
  readonly cell: string;
  readonly message: RegExp;
  /** @returns the source unchanged where tslab can run it */
  mend(source: string, earlier: ReadonlySet<string>): string;
}

// When one of these no longer fails, README and docs/kernel.md say too much.
const defects = {
  "{ shorthand } of an earlier cell": {
    cell: "({ kept })",
    message: /ReferenceError: \w+ is not defined/,
    mend: (source, earlier) => {
      const places = shorthands(source).filter(({ text }) => earlier.has(text));
      return places.reduceRight(
        (text, name) => `${text.slice(0, name.end)}: ${name.text}${text.slice(name.end)}`,
        source,
      );
    },
  },
  "for await in a cell without another await": {
    cell: "for await (const n of [1]) n;",
    message: /Unexpected reserved word/,
    mend: (source) => (needsAwait(source) ? `await null;\n${source}` : source),
  },
  "what a filter narrows, since TypeScript 5.5": {
    cell: 'type E = { type: "a"; n: number } | { type: "b" }; const es: E[] = []; es.find((e) => e.type === "a")?.n',
    message: /Property '\w+' does not exist/,
    mend: (source) =>
      source.replace(
        /(\.(?:find|findLast|filter))\(\((\w+)\) => \2\.type === ("\w+")/g,
        "$1(($2): $2 is Extract<typeof $2, { type: $3 }> => $2.type === $3",
      ),
  },
} as const satisfies Readonly<Record<string, Defect>>;

type DefectName = keyof typeof defects;

// The cells of the course that need our kernel, by how the names of their notebooks begin. README and docs/kernel.md say the same.
const needsOurs: Readonly<Record<string, Readonly<Record<string, DefectName>>>> = {
  "03": { "knobs-all": "{ shorthand } of an earlier cell" },
  "04": {
    "heart-run": "for await in a cell without another await",
    "loop-run": "for await in a cell without another await",
    "resume-restart": "for await in a cell without another await",
    "resume-run": "for await in a cell without another await",
    "resume-stop": "for await in a cell without another await",
  },
  "05": {
    "baseline-table": "what a filter narrows, since TypeScript 5.5",
    "measure-claims": "what a filter narrows, since TypeScript 5.5",
    "sampling-compare": "{ shorthand } of an earlier cell",
  },
  "06": { "lora-run": "what a filter narrows, since TypeScript 5.5" },
};
// In quick mode each takes about ten seconds of a core; those that train more, and notebook 5, which reads what 4 writes, only when asked.
const notebooks = process.env.FLEDGE_TSLAB === "all" ? notebookNames : notebookNames.slice(0, 3);

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
      if (failureOf(ran) !== "") await new Promise((resolve) => setTimeout(resolve, 400));
      return ran;
    });
  } finally {
    await client.kill(); // tslab does not leave when asked
  }
}

// Below Fledge's folder: elsewhere TypeScript 5.0 finds no portable name for the types of arquero.
function temporaryFolder(t: TestContext): string {
  mkdirSync(join(packageRoot(), ".fledge"), { recursive: true });
  const folder = mkdtempSync(join(packageRoot(), ".fledge", "tslab-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
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

test("needsOurs names every cell of the course that tslab cannot run, and why", async () => {
  const found: Record<string, Record<string, DefectName>> = {};
  for (const name of notebookNames) {
    const cells = cellsForTslab(await readNotebook(join(courseFolder, name)));
    const needing = cells.flatMap(({ id, defect }) => (defect ? [[id, defect] as const] : []));
    if (needing.length > 0) found[name.slice(0, 2)] = Object.fromEntries(needing);
  }
  assert.deepEqual(found, needsOurs, "correct needsOurs, README and docs/kernel.md");
});

test("the course on tslab in quick mode: what needs ours fails there as said, all else passes", async (t) => {
  const folder = temporaryFolder(t);
  for (const name of notebooks) {
    await t.test(name, async () => {
      await withTslab(folder, async (run) => {
        for (const { id, source, mended, defect } of cellsForTslab(await readNotebook(join(courseFolder, name)))) {
          if (defect) assert.match(failureOf(await run(source)), defects[defect].message, `cell ${id}`);
          const advice = `write the cell so that TypeScript 5.0 and CommonJS take it, or add it to the defects with its reason`;
          assert.equal(failureOf(await run(mended)), "", `cell ${id} does not run on tslab: ${advice}.`);
        }
      });
    });
  }
});

test("Jupyter starts tslab from the installed kernelspec", {
  skip,
}, async (t) => {
  const folder = temporaryFolder(t);
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
function failureOf({ reply, stderr }: CellRun): string {
  const failed = reply.status === "error" || /Error|^\d+:\d+ - /m.test(stderr);
  return failed ? `${reply.evalue ?? ""}${stderr}` : "";
}

// Code cells, as they are and as tslab can run them.
function cellsForTslab({ cells }: Notebook) {
  const earlier = new Set<string>();
  return cells.flatMap((cell) => {
    if (cell.cell_type !== "code") return [];
    const source = cellSource(cell);
    let mended = source;
    let defect: DefectName | undefined;
    for (const [name, { mend }] of Object.entries(defects)) {
      const next = mend(mended, earlier);
      if (next !== mended) defect ??= name as DefectName;
      mended = next;
    }
    for (const { name } of declaredNames(source)) earlier.add(name);
    return [{ id: String(cell.id), source, mended, defect }];
  });
}

function shorthands(source: string): ts.Identifier[] {
  const names: ts.Identifier[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isShorthandPropertyAssignment(node)) names.push(node.name);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile("cell.ts", source, ts.ScriptTarget.ESNext));
  return names;
}

// tslab sees `await`, but not `for await`, at the top level, and makes an async function of the cell then.
function needsAwait(source: string): boolean {
  let waits = false;
  let iterates = false;
  const visit = (node: ts.Node) => {
    if (ts.isFunctionLike(node)) return;
    waits ||= ts.isAwaitExpression(node);
    iterates ||= ts.isForOfStatement(node) && node.awaitModifier !== undefined;
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile("cell.ts", source, ts.ScriptTarget.ESNext));
  return iterates && !waits;
}
