import assert from "node:assert/strict";
import { test } from "node:test";
import type { StartEvent, TrainEvent } from "../../src/train/events.js";
import {
  bundleOf,
  cellSignal,
  type DisplayOptions,
  display,
  displayHook,
  jupyterDisplay,
  type MimeBundle,
} from "../../src/view/display.js";
import { watch } from "../../src/view/live.js";
import { progressAfter, progressDisplay, progressLine } from "../../src/view/progress.js";
import { followInTerminal } from "../../src/view/terminal.js";
import { readMarkup } from "./markup.js";
import { sampleRun } from "./sample-run.js";

interface Shown {
  readonly bundle: MimeBundle;
  readonly options: DisplayOptions;
  readonly at: number;
}

/** Plays events 100 ms apart on its own clock and tells whether it was ended early. */
function player(events: readonly TrainEvent[]) {
  const state = { milliseconds: 0, returned: false, given: 0 };
  async function* stream() {
    try {
      for (const event of events) {
        await new Promise((resolve) => setImmediate(resolve));
        state.milliseconds += 100;
        state.given++;
        yield event;
      }
    } finally {
      await new Promise((resolve) => setImmediate(resolve));
      state.returned = true;
    }
  }
  return { state, stream: stream(), now: () => state.milliseconds };
}

async function inNotebook<T>(now: () => number, run: (shown: Shown[]) => Promise<T>): Promise<T> {
  const shown: Shown[] = [];
  const hook = (bundle: MimeBundle, options: DisplayOptions = {}) => shown.push({ bundle, options, at: now() });
  Reflect.set(globalThis, displayHook, hook);
  try {
    return await run(shown);
  } finally {
    Reflect.deleteProperty(globalThis, displayHook);
  }
}

test("watch() updates one progress display and one chart at most twice a second, and once at the end", async () => {
  const { stream, now, state } = player(sampleRun({ steps: 60 }));
  await inNotebook(now, async (shown) => {
    await watch(stream, { now, displayId: "run", print: () => {} });
    assert.deepEqual(
      [...new Set(shown.map(({ options }) => options.displayId))],
      ["run-progress", "run-chart", "run-rate", "run-norm"],
    );
    assert.deepEqual(
      shown.slice(0, 4).map(({ options }) => options.update),
      [false, false, false, false],
    );
    assert.ok(shown.slice(4).every(({ options }) => options.update === true));
    const times = shown.filter(({ options }) => options.displayId === "run-chart").map(({ at }) => at);
    const gaps = times.slice(1, -1).map((at, i) => at - (times[i] ?? 0));
    assert.ok(gaps.length > 5 && gaps.every((gap) => gap >= 500), `gaps ${gaps}`);
    assert.equal(times.at(-1), state.milliseconds);
    const last = shown.findLast(({ options }) => options.displayId === "run-progress");
    assert.match(String(bundleOf(last?.bundle)["text/plain"]), /^100 % · step 60 of 60/);
    assert.ok("image/png" in (shown.at(-1)?.bundle ?? {}), "the chart that stays has a PNG");
  });
});

test("watch() returns all events, the finish event, the chart and a sentence", async () => {
  const events = sampleRun({ steps: 60 });
  const summary = await watch(player(events).stream, { print: () => {} });
  assert.deepEqual(summary.events, events);
  assert.equal(summary.finish?.reason, "completed");
  assert.equal(summary.baseValidationLoss, 5);
  assert.equal(summary.bestValidationLoss?.toFixed(3), "4.490");
  assert.match(
    summary.description,
    /best is 4\.490 at step 60\. It took 20 s and at most 1\.42 GB of memory\. The model is in final_model\.$/,
  );
  assert.deepEqual(summary[jupyterDisplay](), { "text/plain": summary.description });
});

test("watch() ends the stream and draws once more when its signal is aborted", async () => {
  const { stream, now, state } = player(sampleRun());
  const controller = new AbortController();
  await inNotebook(now, async (shown) => {
    const watching = watch(stream, { now, signal: controller.signal, print: () => {} });
    while (state.given < 20) await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new Error("stopped by the reader"));
    await assert.rejects(watching, /stopped by the reader/);
    assert.ok(state.returned, "return() of the stream was awaited");
    assert.ok(state.given < 480);
    assert.ok("image/png" in (shown.at(-1)?.bundle ?? {}));
  });
});

test("watch() stops with the running cell when the notebook offers its signal", async () => {
  const controller = new AbortController();
  Reflect.set(globalThis, cellSignal, controller.signal);
  try {
    const { stream, state } = player(sampleRun());
    const watching = watch(stream, {
      print: (line) => line.startsWith("evaluation") && controller.abort(new Error("cell stopped")),
    });
    await assert.rejects(watching, /cell stopped/);
    assert.ok(state.returned);
  } finally {
    Reflect.deleteProperty(globalThis, cellSignal);
  }
});

test("watch() lets the run go on when the displays fail, and says so once", async () => {
  const lines: string[] = [];
  const hook = () => {
    throw new Error("the page is gone");
  };
  Reflect.set(globalThis, displayHook, hook);
  try {
    const { finish } = await watch(player(sampleRun({ steps: 9 })).stream, { print: (line) => lines.push(line) });
    assert.equal(finish?.step, 9);
    assert.deepEqual(lines, ["warning: the run goes on, but cannot be shown: the page is gone"]);
  } finally {
    Reflect.deleteProperty(globalThis, displayHook);
  }
});

test("watch() passes on an error of the stream after a last drawing", async () => {
  async function* broken(): AsyncGenerator<TrainEvent> {
    yield* sampleRun().slice(0, 5);
    throw new Error("out of memory");
  }
  await inNotebook(
    () => 0,
    async (shown) => {
      await assert.rejects(watch(broken(), { now: () => 0, print: () => {} }), /out of memory/);
      assert.equal(shown.length, 8);
    },
  );
});

test("watch() prints one line a log, evaluation and checkpoint in a terminal, and none a step", async () => {
  const lines: string[] = [];
  const events: TrainEvent[] = [...sampleRun({ steps: 60 })];
  events.splice(
    5,
    0,
    { type: "warning", message: "the disk is nearly full" },
    { type: "skipped", step: 4, reason: "loss is not a number", blocks: [], documents: [] },
  );
  await watch(player(events).stream, { print: (line) => lines.push(line) });
  assert.deepEqual(lines, [
    "training models/fledgling (4,200,000 parameters) on sotu · 1,960,000 tokens for training, 120,000 for validation · 60 steps of 4,096 tokens · engine tensorflow (TensorFlow 2.21 on CPU: no NVIDIA GPU found)",
    "evaluation at step 0: validation loss 5.000, perplexity 148.4, 1.724 bits per byte (before training)",
    "warning: the disk is nearly full",
    "step 4 refused: loss is not a number",
    lines[4],
    "evaluation at step 60: validation loss 4.490, perplexity 89.1, 1.548 bits per byte, best so far",
    "checkpoint at step 60: runs/sample/step-60 (best)",
    lines[7],
  ]);
  assert.match(
    lines[4] ?? "",
    /^83 % · step 50 of 60 · epoch 0\.31 · loss \d\.\d{3} · validation loss 5\.000 · 12,480 tokens\/s · 3\.3 s left · 1\.31 GB$/,
  );
  assert.match(
    lines[7] ?? "",
    /^100 % · step 60 of 60 .* completed after 20 s · peak memory 1\.42 GB · model saved in final_model$/,
  );
});

test("watch() shows warnings and refused steps as lines in a notebook too", async () => {
  const lines: string[] = [];
  const events: TrainEvent[] = [{ type: "warning", message: "slow disk" }, ...sampleRun({ steps: 3 })];
  await inNotebook(
    () => 0,
    () => watch(player(events).stream, { now: () => 0, print: (line) => lines.push(line) }),
  );
  assert.deepEqual(lines, ["warning: slow disk"]);
});

test("progressLine() speaks before the first step, and progressDisplay() has a bar that screen readers know", () => {
  assert.equal(progressLine({}), "starting");
  const [start, evaluation] = sampleRun();
  assert.ok(start && evaluation);
  const started = progressAfter({}, start);
  assert.equal(progressLine(started), "0 % · step 0 of 480 · evaluating the model before training");
  assert.match(progressLine(progressAfter(started, evaluation)), /validation loss 5\.000 · first step$/);
  const html = String(progressDisplay(started)[jupyterDisplay]()["text/html"]);
  assert.match(html, /<progress max="480" value="0" aria-label="training progress"/);
  readMarkup(html);
});

test("display() prints text in a terminal and keeps silent for updates", () => {
  const written: string[] = [];
  const { write } = process.stdout;
  process.stdout.write = ((text: string) => written.push(text) > 0) as typeof write;
  try {
    display({ "text/plain": "loss 3.21", "text/html": "<b>loss</b>" }, { displayId: "a" });
    display("again", { displayId: "a", update: true });
    display({ step: 3 });
    display({ "image/svg+xml": "<svg/>" });
  } finally {
    process.stdout.write = write;
  }
  assert.deepEqual(written, ["loss 3.21\n", "{ step: 3 }\n", "image/svg+xml\n"]);
});

test("watch() says at once what is compiled or downloaded, counts the seconds of the wait, and lists it not among the events", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  let milliseconds = 0;
  const pause = (seconds: number) => {
    milliseconds += 1000 * seconds;
    t.mock.timers.tick(1000);
  };
  const run = sampleRun({ steps: 3 });
  async function* stream(): AsyncGenerator<TrainEvent> {
    const file = { repository: "openai/gpt2", file: "model.safetensors", receivedBytes: 1e6, totalBytes: 5e8 };
    yield { type: "download", ...file };
    yield run[0] as TrainEvent;
    yield { type: "compile", phase: "start", program: "step" };
    pause(7);
    yield { type: "compile", phase: "end", program: "step", seconds: 7 };
    pause(1);
    yield* run.slice(1);
  }
  const now = () => milliseconds;
  const lines: string[] = [];
  await inNotebook(now, async (shown) => {
    const { events } = await watch(stream(), { now, displayId: "run", print: (line) => lines.push(line) });
    assert.deepEqual(events, run);
    const texts = shown.flatMap(({ bundle, options }) =>
      options.displayId === "run-progress" ? [String(bundleOf(bundle)["text/plain"])] : [],
    );
    assert.deepEqual(texts.slice(0, 4), [
      "downloading model.safetensors of openai/gpt2: 1 MB of 500 MB",
      "0 % · step 0 of 3 · evaluating the model before training",
      "0 % · step 0 of 3 · compiling the training step…",
      "0 % · step 0 of 3 · compiling the training step… 7.0 s",
    ]);
    assert.ok(texts.slice(4).every((text) => !text.includes("compiling")));
  });
  assert.equal(lines.length, 0);
  milliseconds = 0;
  await watch(stream(), { now, print: (line) => lines.push(line) });
  assert.ok(lines.includes("compiled the training step in 7.0 s"), lines.join("\n"));
});

test("followInTerminal() moves its line while a program is compiled, and says in a pipe how long it took", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  let milliseconds = 0;
  const run = sampleRun({ steps: 3 });
  async function* stream(): AsyncGenerator<TrainEvent> {
    yield run[0] as TrainEvent;
    yield { type: "compile", phase: "start", program: "evaluate" };
    milliseconds += 12_000;
    t.mock.timers.tick(1000);
    yield { type: "compile", phase: "end", program: "evaluate", seconds: 12 };
    yield* run.slice(1);
  }
  for (const isTerminal of [true, false]) {
    let text = "";
    const write = (part: string) => {
      text += part;
    };
    milliseconds = 0;
    await followInTerminal(stream(), { write, isTerminal, columns: () => 120, now: () => milliseconds });
    assert.equal(text.includes("compiling the evaluation…"), isTerminal, text);
    assert.equal(text.includes("compiling the evaluation… 12 s"), isTerminal, text);
    assert.ok(text.includes("compiled the evaluation in 12 s\n"), text);
  }
});

test("followInTerminal() says after a preflight of a long run how to have a shorter one", async () => {
  const [start, ...rest] = sampleRun({ steps: 3 }) as [StartEvent, ...TrainEvent[]];
  const follow = async (changes: object, seconds: number) => {
    let text = "";
    const preflight: TrainEvent = {
      ...{ type: "preflight", predictedBytes: 1e9, measuredBytes: 1e9, predictedStepSeconds: 1 },
      ...{ measuredStepSeconds: seconds, totalSteps: 1800, evaluations: 7, estimatedEvaluationSeconds: 20 },
    };
    async function* stream(): AsyncGenerator<TrainEvent> {
      yield { ...start, config: { ...start.config, ...changes } };
      yield preflight;
      yield* rest;
    }
    await followInTerminal(stream(), { write: (part) => (text += part), isTerminal: false, isExplained: true });
    return text.split("\n");
  };
  const long = await follow({}, 2);
  assert.deepEqual(long.slice(0, 3), [
    "engine tensorflow (TensorFlow 2.21 on CPU: no NVIDIA GPU found)",
    "preflight: a step takes 2 s (predicted 1 s), 1,800 steps and 7 evaluations about 1 h 02 min; two steps took 1 GB (predicted for the whole run: 1 GB)",
    "for about 15 minutes instead: --max-steps 430; Ctrl-C stops at any time with a checkpoint, `fledge resume` goes on",
  ]);
  assert.match((await follow({}, 1000))[2] ?? "", /^Ctrl-C stops at any time/, "not even ten steps");
  assert.doesNotMatch((await follow({}, 0.1)).join(), /Ctrl-C/, "a short run");
  assert.doesNotMatch((await follow({ maxMinutes: 5 }, 2)).join(), /Ctrl-C/, "a run with a time budget");
});
