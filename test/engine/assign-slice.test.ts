/** Writing one index of a variable in place: the same on every engine, and nothing else is touched. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { engineNames, openForTest } from "../engines.js";

for (const name of engineNames) {
  test(`assignSlice() overwrites one index of axis 1 and leaves the other variables alone on ${name}`, async (t) => {
    const engine = await openForTest(name);
    if (typeof engine === "string") return t.skip(engine);
    // Two variables that begin alike: they must not share their memory.
    const shape = [2, 3, 2];
    await engine.createVariables(
      new Map([
        ["a", { shape }],
        ["b", { shape }],
      ]),
    );
    const specs = { index: { shape: [], dtype: "int32" }, value: { shape: [2, 1, 2], dtype: "float32" } } as const;
    const step = await engine.compile("write", specs, ({ index, value }, variables) => ({
      a: variables.assignSlice("a", index, value),
    }));
    const value = Float32Array.of(1, 2, 3, 4);
    await step.run({ index: Int32Array.of(2), value });
    const { a } = await step.run({ index: Int32Array.of(0), value: value.map((x) => 10 * x) });
    const expected = [10, 20, 0, 0, 1, 2, 30, 40, 0, 0, 3, 4];
    assert.deepEqual([...a], expected);
    const after = await engine.readVariables(["a", "b"]);
    assert.deepEqual([...(after.get("a") ?? [])], expected);
    assert.deepEqual([...(after.get("b") ?? [])], Array(12).fill(0));
    await engine.dispose();
  });

  test(`deleteVariables() frees a variable, and an assignment brings it back, on ${name}`, async (t) => {
    const engine = await openForTest(name);
    if (typeof engine === "string") return t.skip(engine);
    await engine.createVariables(new Map([["a", { shape: [2], values: Float32Array.of(1, 2) }]]));
    const spec = { x: { shape: [2], dtype: "float32" } } as const;
    const step = await engine.compile("bring back", spec, ({ x }, variables) => {
      variables.assign("a", x as never);
      return { a: variables.read("a") };
    });
    await engine.deleteVariables(["a", "never there"]);
    await assert.rejects(engine.readVariables(["a"]));
    assert.deepEqual([...(await step.run({ x: Float32Array.of(3, 4) })).a], [3, 4]);
    await engine.dispose();
  });
}

test("assignSlice() refuses a variable that the step has read, and a value of the wrong shape", async (t) => {
  const engine = await openForTest("tensorflow");
  if (typeof engine === "string") return t.skip(engine);
  await engine.createVariables(new Map([["a", { shape: [2, 3] }]]));
  const specs = { index: { shape: [], dtype: "int32" }, value: { shape: [2, 1], dtype: "float32" } } as const;
  const late = engine.compile("late", specs, ({ index, value }, variables) => {
    variables.read("a");
    return { a: variables.assignSlice("a", index, value) };
  });
  await assert.rejects(late, {
    message:
      'Cannot write into variable "a": a read of it before, in the same step, expected assignSlice() first, since it ' +
      "changes the variable in place. Fix: use what assignSlice() returns.",
  });
  const wide = { ...specs, value: { shape: [2, 2], dtype: "float32" } } as const;
  const wrong = engine.compile("wrong", wide, ({ index, value }, variables) => ({
    a: variables.assignSlice("a", index, value),
  }));
  await assert.rejects(wrong, {
    name: "TypeError",
    message: /^Cannot write into variable "a": a value of shape \[2, 2\], expected \[2, 1\]\. Fix: reshape the value/,
  });
  await engine.dispose();
});
