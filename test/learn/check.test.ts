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
  "1.2": {
    right: [4, 5],
    wrong: [
      [[5, 4], /Rows come first/],
      [[4, 3, 5], /two numbers/],
      [[4, 3], /summed over/],
      [[9, 9], /a row of the first/],
      [20, /an array; this is the number 20/],
    ],
  },
  "1.3": {
    right: Math.exp(3),
    wrong: [
      [8, /bits/],
      [1000, /not to 10/],
      [Math.log(3), /other way round/],
      [Math.exp(-3), /probability/],
      [3, /Math\.exp/],
    ],
  },
  "1.4": {
    right: 4.8,
    wrong: [
      [5.2, /uphill/],
      [3, /whole gradient/],
      [0.2, /Where is it then/],
      [5, /Subtract/],
    ],
  },
  "2.1": {
    right: 1878,
    wrong: [
      [1876, /end of text of each/],
      [1325, /are kept/],
      [2691, /by itself/],
      [4000, /lost are fewer/],
      [12, /after token 512/],
    ],
  },
  "2.2": {
    right: 6,
    wrong: [
      [6.25, /round down/],
      [7, /not be full/],
      [4, /joins the documents first/],
      [100, /divide by 512/],
    ],
  },
  "2.3": {
    right: [42, 7, 7, 0],
    wrong: [
      [[11, 42, 7, 7], /the inputs/],
      [[11, 42, 7, 7, 0], /as many targets/],
      [[0, 7, 7, 42], /not turned round/],
      [[42, 7], /one place on/],
    ],
  },
  "2.4": {
    right: "validation",
    wrong: [
      ["test", /left to judge with/],
      ["train", /by heart/],
      ["all", /one of the three/],
    ],
  },
  "2.5": {
    right: { validationFraction: 0.1, testFraction: 0.1, seed: 7 },
    wrong: [
      [{ validationFraction: 0.2, seed: 1 }, /Two knobs/],
      [{ validationFraction: 0.2, testFraction: 0.2, seed: 1 }, /both together/],
      [{ validationFraction: 0.1, testFraction: 0.1 }, /tomorrow/],
      [{ validationFraction: 0.1, testFraction: 0.1, seed: 0.5 }, /whole number/],
      [{ validationFraction: 0.3, testFraction: 0.1, seed: 1 }, /half of it/],
    ],
  },
  "3.1": {
    right: 8192,
    wrong: [
      [2048, /one micro-batch/],
      [32, /Those are blocks/],
      [3072, /multiply/],
      [1, /times tokens a block/],
    ],
  },
  "3.2": {
    right: { batchSize: 2, gradientAccumulation: 4 },
    wrong: [
      [{ batchSize: 2 }, /Give both/],
      [{ batchSize: 2, gradientAccumulation: 1 }, /another experiment/],
      [{ batchSize: 4, gradientAccumulation: 2 }, /not a quarter yet/],
      [{ batchSize: 1, gradientAccumulation: 8 }, /waste time/],
    ],
  },
  "3.3": {
    right: 5e-4,
    wrong: [
      [4e-4, /not at step 0/],
      [1e-3, /highest rate/],
      [6e-4, /left\?/],
      [1, /80 steps/],
    ],
  },
  "3.4": {
    right: "earlyStoppingPatience",
    wrong: [
      ["weightDecay", /towards 0/],
      ["patience", /exact name/],
      ["learningRate", /one of the two/],
    ],
  },
  "4.1": {
    right: 4,
    wrong: [
      [2, /always the best/],
      [3, /anything left/],
      [3.5, /whole/],
      [9, /two in a row/],
    ],
  },
  "4.2": {
    right: 2,
    wrong: [
      [4, /stops/],
      [5, /lowest of all/],
      [3, /from 0/],
      [3.9, /not the loss/],
      [0, /Walk along/],
    ],
  },
  "4.3": {
    right: 12e6,
    wrong: [
      [4e6, /alone/],
      [8e6, /two numbers/],
      [16e6, /gradient/],
      [3e6, /How many bytes/],
      [1, /Count/],
    ],
  },
  "4.4": {
    right: { resume: true },
    wrong: [
      [{ resume: true, maxSteps: 12 }, /One knob/],
      [{ resume: "true" }, /truth value/],
      [{}, /from the beginning/],
      [{ restart: true }, /went on/],
      [true, /an object; this is a boolean/],
    ],
  },
  "5.1": {
    right: Math.exp(3.2),
    wrong: [
      [2 ** 3.2, /natural/],
      [Math.log(3.2), /other way/],
      [3.2, /loss itself/],
      [7, /power/],
    ],
  },
  "5.2": {
    right: (3.2 / Math.LN2) * (1000 / 4400),
    wrong: [
      [3.2 / Math.LN2, /a token/],
      [3.2 * (1000 / 4400), /bits/],
      [(3.2 / Math.LN2) * (4400 / 1000), /turned round/],
      [9, /Two steps/],
    ],
  },
  "5.3": {
    right: "test",
    wrong: [
      ["validation", /chosen/],
      ["train", /learned/],
      ["all", /three parts/],
    ],
  },
  "5.4": {
    right: 0.25,
    wrong: [
      [0.2, /prompt/],
      [30, /share/],
      [0.75, /other/],
      [0.1, /overlap/],
    ],
  },
  "6.1": {
    right: 4,
    wrong: [
      [2, /product/],
      [8, /twice/],
      [3, /blocks/],
    ],
  },
  "6.2": {
    right: 12_288,
    wrong: [
      [8192, /both/],
      [524_288, /whole matrix/],
      [1, /rank/],
    ],
  },
  "6.3": {
    right: ["B"],
    wrong: [
      [[], /There is one/],
      [["B", "C"], /two knobs/],
      [["D"], /block size/],
      [["A"], /knob by knob/],
      ["B", /an array; this is a string/],
    ],
  },
  "6.4": {
    right: 16e8,
    wrong: [
      [4e8, /alone/],
      [12e8, /gradient/],
      [16, /weights/],
      [5, /four numbers/],
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
