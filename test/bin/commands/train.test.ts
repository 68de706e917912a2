/** The commands of a training run as a user calls them: real processes, pipes, a terminal, signals. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { optionOf } from "../../../src/config/sources.js";
import { knobNames } from "../../../src/config.js";
import { packageRoot } from "../../../src/paths.js";
import { fledgeMain as main, start, tinyProject, until } from "./tiny-project.js";

const scratch = await mkdtemp(join(tmpdir(), "fledge-command-"));
after(() => rm(scratch, { recursive: true }));

async function folderOf(name: string): Promise<string> {
  await mkdir(join(scratch, name));
  return join(scratch, name);
}

const knobs = await tinyProject(scratch);
const whole = await folderOf("whole");
const wholeRun = await start(["train", ...knobs], whole).ended;

test("fledge train says what it will do, trains and saves, in whole lines without control codes in a pipe", async () => {
  const { code, out, err } = wholeRun;
  assert.equal(code, 0, err);
  assert.match(out, /^model: .*\nsteps: \d+ in 1 epoch of/);
  assert.match(out, /\nevaluation at step 20: validation loss/);
  assert.match(
    out,
    /completed after .* model saved in \.\/final_model\nvalidation loss [\d.]+ before training, [\d.]+ at its best/,
  );
  assert.match(out, /\nnext: fledge generate \.\/final_model "The" · fledge eval \.\/final_model\n$/);
  assert.ok([...out].every((letter) => letter >= " " || letter === "\n"));
  assert.ok((await readdir(join(whole, "final_model"))).includes("model.safetensors"));
});

test("fledge eval measures the trained model on its own held-out text", async () => {
  const { code, out, err } = await start(["eval", "--json", "--split", "validation"], whole).ended;
  assert.equal(code, 0, err);
  const { loss, split, tokens } = JSON.parse(out);
  const losses = [...wholeRun.out.matchAll(/validation loss ([\d.]+)/g)].map(([, loss]) => Number(loss));
  assert.equal(split, "validation");
  assert.ok(tokens > 100);
  assert.equal(Number(loss.toFixed(3)), Math.min(...losses), "the loss of the best evaluation");
});

test("Ctrl-C ends fledge train with a checkpoint and 130; fledge resume ends bit for bit as if nothing had been", async () => {
  const folder = await folderOf("stopped");
  const { child, said, ended } = start(["train", ...knobs], folder);
  await until(child, () => said.out.includes("evaluation at step 20"));
  child.kill("SIGINT");
  const { code, out, err } = await ended;
  assert.equal(code, 130, out + err);
  assert.match(err, /stopping after the step under way, with a checkpoint; Ctrl-C again stops at once/);
  assert.match(out, /checkpoint at step \d+: .*\n.*stopped by hand.*\ngo on with: fledge resume \.\/gpt2_finetuned\n$/);
  assert.ok(!(await readdir(folder)).includes("final_model"));
  const resumed = await start(["resume"], folder).ended;
  assert.equal(resumed.code, 0, resumed.err);
  assert.match(resumed.out, /resumed from step \d+/);
  const weights = (run: string) => readFile(join(run, "final_model/model.safetensors"));
  assert.ok((await weights(folder)).equals(await weights(whole)), "same weights");
});

test("a second Ctrl-C stops fledge train at once", async () => {
  const folder = await folderOf("twice");
  // One step of hundreds of micro-batches outlasts both signals.
  const { child, said, ended } = start(
    ["train", ...knobs, "--gradient-accumulation", "400", "--num-epochs", "400"],
    folder,
  );
  await until(child, () => said.out.includes("evaluation at step 0"));
  child.kill("SIGINT");
  await until(child, () => said.err.includes("stopping"));
  child.kill("SIGINT");
  const { code, out } = await ended;
  assert.equal(code, 130);
  assert.doesNotMatch(out, /stopped by hand/);
  assert.deepEqual(
    (await readdir(join(folder, "gpt2_finetuned"))).filter((name) => name.startsWith("checkpoint")),
    [],
  );
});

test("fledge train moves one line with a bar on a terminal", async () => {
  const folder = await folderOf("terminal");
  const python = join(packageRoot(), ".venv/bin/python");
  const spawnPty = ["-c", "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)", process.execPath, main];
  const { code, out } = await start(["train", ...knobs, "--max-steps", "25"], folder, python, spawnPty).ended;
  assert.equal(code, 0, out);
  const drawn = out.replaceAll("\r\u001b[2K", "<clear>");
  assert.match(drawn, /<clear>[█░]{20} \d+ % · step \d+ of 25 · epoch/);
  assert.match(drawn, /<clear>evaluation at step 20/, "lines that stay take the place of the moving one");
});

test("fledge train refuses with exit code 2 and the fix, before it writes anything", async () => {
  const folder = await folderOf("refused");
  const misspelt = await start(["train", "--learningrate", "1"], folder).ended;
  assert.deepEqual([misspelt.code, misspelt.out], [2, ""]);
  assert.match(misspelt.err, /^Cannot read the command line: an option --learningrate, expected --learning-rate\./);
  const contradiction = await start(["train", ...knobs, "--warmup-steps", "5", "--max-steps", "5"], folder).ended;
  assert.equal(contradiction.code, 2);
  assert.match(contradiction.err, /^Cannot use warmupSteps: 5: a run of 5 steps/);
  const nothing = await start(["resume"], folder).ended;
  assert.equal(nothing.code, 2);
  assert.match(nothing.err, /^Cannot read the run log of \.\/gpt2_finetuned: none/);
  const part = await start(["eval", "--split", "tets"], folder).ended;
  assert.equal(part.code, 2);
  assert.match(part.err, /^Cannot choose the part to measure: --split tets, .* Fix: write --split test\.\n$/);
  const config = await start(["train", "--config"], folder).ended;
  assert.match(config.err, /^Cannot use --config: no value behind it, expected one\. Fix: write --config VALUE\.\n$/);
  assert.deepEqual(await readdir(folder), []);
});

test("fledge train takes a file before the command line and says what had no effect", async () => {
  const folder = await folderOf("file");
  await writeFile(join(folder, "run.json"), JSON.stringify({ maxSteps: 7, learningRate: 1e-3 }));
  const words = ["train", "--config", "run.json", ...knobs, "--evaluate-every-steps", "5", "--explain"];
  const { code, out, err } = await start(words, folder).ended;
  assert.equal(code, 0, err);
  assert.match(out, /^steps: 7 in/m);
  assert.equal(err, "note: learningRate is 0.001 by run.json; 0.005 by --learning-rate has no effect\n");
  assert.deepEqual(await readdir(folder), ["run.json"]);
});

test("fledge help train names every knob, in at most 110 columns", async () => {
  const { out } = await start(["help", "train"], scratch).ended;
  for (const name of knobNames) {
    assert.ok(out.includes(optionOf(name)) || out.includes(optionOf(name).replace("--", "--no-")), name);
  }
  for (const line of out.split("\n")) assert.ok([...line].length <= 110, line);
});
