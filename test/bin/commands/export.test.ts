import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { exportCommand } from "../../../bin/commands/export.js";
import { packageRoot } from "../../../src/paths.js";
import { goldenFolder } from "../../golden.js";

const folder = mkdtempSync(join(tmpdir(), "fledge-export-command-"));
after(() => rmSync(folder, { recursive: true }));
cpSync(goldenFolder, folder, { recursive: true });
for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
  // A tokenizer of more ids than the model has: the model's ids are what counts for ONNX.
  cpSync(join(packageRoot(), "models/fledge-base", file), join(folder, file));
}

test("fledge export writes the files asked for and says where they lie and how large they are", () => {
  const fledge = join(packageRoot(), "dist/bin/fledge.js");
  const words = ["export", folder, "--to", "onnx", "--dtype", "int8,fp16"];
  const { status, stdout, stderr } = spawnSync(process.execPath, [fledge, ...words], { encoding: "utf8" });
  assert.deepEqual([status, stderr], [0, ""]);
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines.length, 2);
  assert.match(lines[0] as string, /onnx\/model_quantized\.onnx {2}\d+ kB$/);
  assert.ok(existsSync(join(folder, "onnx/model_fp16.onnx")) && !existsSync(join(folder, "onnx/model.onnx")));
});

test("fledge export --into writes a model that goes by name into a folder that transformers.js can load", async () => {
  const into = join(folder, "by-name");
  const [file] = await exportCommand(["fledge-base", "--to", "onnx", "--dtype", "int8", "--into", into]);
  assert.equal(file?.path, join(into, "onnx/model_quantized.onnx"));
  for (const name of ["config.json", "tokenizer.json", "tokenizer_config.json"])
    assert.ok(existsSync(join(into, name)));
  assert.ok(!existsSync(join(packageRoot(), "models/fledge-base/onnx")));
  await assert.rejects(exportCommand(["fledge-base", "--to", "gguf"]), {
    name: "RangeError",
    message:
      'Cannot export "fledge-base": a model that lies in no folder of yours, expected the folder of a saved model. Fix: give a folder to write into, as into: "./fledge-base" or --into.',
  });
});

test("fledge export refuses wrong usage with what it expects", async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /Cannot export: 0 folders, expected one\. Fix: run `fledge help export`\./],
    [[folder], /--to missing, expected --to onnx or --to gguf/],
    [["./nowhere", "--to", "gguf"], /Cannot load model "\.\/nowhere": no folder .+nowhere, expected/],
    [[folder, "--to", "pickle"], /--to pickle, expected/],
    [[folder, "--as", "onnx"], /Unknown option '--as'.*, expected <folder> --to onnx\|gguf/],
    [[folder, "--to", "gguf", "--dtype", "fp32"], /Cannot export as GGUF: dtype "fp32", expected f32, f16, q8_0/],
  ];
  for (const [words, message] of cases) await assert.rejects(exportCommand(words), { name: "RangeError", message });
});
