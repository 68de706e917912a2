import assert from "node:assert/strict";
import { test } from "node:test";
import { check, exerciseNumbers } from "../../src/learn/check.js";
import { bundleOf } from "../../src/view/display.js";

/** Answers by exercise: the right one, and wrong ones with a word that their hint must hold. */
const answers: Readonly<Record<string, { right: unknown; wrong: readonly (readonly [unknown, RegExp])[] }>> = {
  "1.1": {
    right: Math.log(50_257),
    wrong: [
      [-Math.log(50_257), /minus/],
      [Math.log2(50_257), /bits/],
      [1 / 50_257, /probability/],
      [3, /one in 50,257/],
      ["10.8", /a number; this is a string/],
    ],
  },
};

test("every exercise has a right answer and wrong ones in this test", () => {
  assert.deepEqual(Object.keys(answers), exerciseNumbers);
});

for (const [number, { right, wrong }] of Object.entries(answers)) {
  test(`check("${number}") knows the right answer, hints at each mistake, and never tells`, () => {
    const verdict = check(number, right);
    assert.ok(verdict.isRight, verdict.message);
    assert.match(String(bundleOf(verdict)["text/plain"]), /^✓ [\d.]+ Right\. /);
    for (const [answer, hint] of wrong) {
      const { isRight, message } = check(number, answer);
      assert.equal(isRight, false, String(answer));
      assert.match(message, hint);
      if (typeof right === "number") assert.ok(!message.includes(String(right).slice(0, 5)), message);
    }
  });
}

test("check() hints at a missing answer and at a promise", () => {
  const number = exerciseNumbers[0] ?? "";
  assert.match(check(number, undefined).message, /no value yet/);
  assert.match(check(number, Promise.resolve(1)).message, /await/);
});

test("check() refuses an exercise that does not exist", () => {
  assert.throws(() => check("1.99", 1), {
    name: "RangeError",
    message: /^Cannot check exercise "1\.99": no such exercise, expected one of 1\.1/,
  });
});
