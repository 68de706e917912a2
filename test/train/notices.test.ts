import assert from "node:assert/strict";
import { test } from "node:test";
import type { NoticeEvent, TrainEvent } from "../../src/train/events.js";
import { withNotices } from "../../src/train/notices.js";

const compiling = { type: "compile", phase: "start", program: "step" } as const;
const warning = (message: string) => ({ type: "warning", message }) as const;

test("withNotices() yields what a run tells before the event that it waits for, while it waits", async () => {
  let release = () => {};
  const events = withNotices(async function* (tell): AsyncGenerator<TrainEvent> {
    tell(compiling);
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    yield warning("first");
    tell({ ...compiling, phase: "end" });
    yield warning("second");
  });
  const begun = await events.next(); // the run stands still until it is released
  release();
  const rest: TrainEvent[] = [];
  for await (const event of events) rest.push(event);
  assert.deepEqual(
    [begun.value, ...rest],
    [compiling, warning("first"), { ...compiling, phase: "end" }, warning("second")],
  );
});

test("withNotices() passes on an error, and ends the run when its consumer leaves at a notice", async () => {
  async function* broken(): AsyncGenerator<TrainEvent> {
    yield warning("first");
    throw new Error("out of memory");
  }
  await assert.rejects(async () => {
    for await (const _ of withNotices(broken));
  }, /out of memory/);
  let ended = false;
  async function* told(tell: (notice: NoticeEvent) => void): AsyncGenerator<TrainEvent> {
    try {
      tell(compiling);
      await new Promise((resolve) => setImmediate(resolve));
      yield warning("first");
      yield warning("second");
    } finally {
      ended = true;
    }
  }
  for await (const event of withNotices(told)) {
    assert.equal(event.type, "compile");
    break;
  }
  assert.ok(ended);
});
