import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../src/paths.js";
import type { TrainEvent } from "../../src/train/events.js";
import { crc32c, openTensorBoard } from "../../src/view/tensorboard.js";
import { sampleRun } from "./sample-run.js";

test("crc32c() gives the check value of the Castagnoli polynomial", () => {
  assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa, "RFC 3720, appendix B.4: 32 bytes of zeroes");
});

test("openTensorBoard() writes what TensorBoard's own reader reads, a resumed run once", async (context) => {
  const folder = await mkdtemp(join(tmpdir(), "fledge-tensorboard-"));
  context.after(() => rm(folder, { recursive: true }));
  const events = sampleRun({ steps: 300 });
  const at = events.findIndex((event) => event.type === "step" && event.step === 200);
  const first = await openTensorBoard(folder, [], () => 1_700_000_000);
  for (const event of events.slice(0, at)) await first.write(event);
  // The run goes on from step 150: what came after it is written once.
  const kept = events.slice(0, at).filter((event) => "step" in event && event.step <= 150);
  const second = await openTensorBoard(folder, kept, () => 1_700_000_100);
  for (const event of events.filter((event) => "step" in event && event.step > 150)) await second.write(event);

  const python = join(packageRoot(), ".venv/bin/python");
  const script = join(packageRoot(), "test/view/read_tensorboard.py");
  const read: Record<string, [number, number][]> = JSON.parse(
    execFileSync(python, [script, folder], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
  );
  const expected = (type: TrainEvent["type"], key: string) =>
    events.flatMap((event) => {
      const value = event.type === type ? Reflect.get(event, key) : undefined;
      return typeof value === "number" && "step" in event ? [[event.step, Math.fround(value)]] : [];
    });
  assert.deepEqual(read["loss/train"], expected("step", "loss"));
  assert.deepEqual(read["optimiser/learning rate"], expected("step", "learningRate"));
  assert.deepEqual(read["loss/validation"], expected("evaluation", "validationLoss"));
});
