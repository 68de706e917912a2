import assert from "node:assert/strict";
import { test } from "node:test";
import { escapeMarkup, escapeScriptJson } from "../../src/view/escape.js";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatLoss,
  formatNumber,
  formatShare,
} from "../../src/view/format.js";

/** [value, expected] pairs. */
function check(format: (value: number) => string, cases: readonly (readonly [number, string])[]): void {
  for (const [value, expected] of cases) assert.equal(format(value), expected, `${format.name}(${value})`);
}

test("formatCount() groups thousands", () => {
  check(formatCount, [
    [0, "0"],
    [999, "999"],
    [1000, "1,000"],
    [1234567, "1,234,567"],
    [-4200, "-4,200"],
    [Number.NaN, "unknown"],
  ]);
});

test("formatBytes() picks the unit that people read", () => {
  check(formatBytes, [
    [0, "0 B"],
    [812, "812 B"],
    [1000, "1 kB"],
    [999_999, "1 MB"],
    [1_250_000_000, "1.25 GB"],
    [Number.POSITIVE_INFINITY, "unknown"],
  ]);
});

test("formatDuration() gives the two largest units", () => {
  check(formatDuration, [
    [0.42, "0.4 s"],
    [9.97, "10 s"],
    [59.7, "1 min 00 s"],
    [130, "2 min 10 s"],
    [3599.6, "1 h 00 min"],
    [3900, "1 h 05 min"],
    [273_600, "3 d 4 h"],
    [-1, "unknown"],
    [Number.NaN, "unknown"],
  ]);
});

test("formatLoss() never turns a broken loss into a number", () => {
  check(formatLoss, [
    [4.21056, "4.211"],
    [0, "0.000"],
    [0.00012345, "0.00012"],
    [Number.NaN, "not a number"],
    [Number.POSITIVE_INFINITY, "infinite"],
  ]);
});

test("formatShare() is 100 % only at the end and 0 % only at the start", () => {
  assert.deepEqual(
    [
      [0, 1000],
      [1, 1000],
      [999, 1000],
      [1000, 1000],
      [1, 0],
    ].map(([done = 0, total = 0]) => formatShare(done, total)),
    ["0 %", "1 %", "99 %", "100 %", "0 %"],
  );
});

test("formatNumber() keeps at most four significant digits of a fraction, and no zeros at its end", () => {
  check(formatNumber, [
    [12345, "12,345"],
    [0.123456, "0.1235"],
    [0.5, "0.5"],
    [-0.42, "-0.42"],
    [999.99, "1,000"],
    [1234.5678, "1,234.6"],
    [1234.04, "1,234"],
    [1.234e-7, "1.2e-7"],
    [0.00001, "0.00001"],
    [Number.NaN, "not a number"],
    [Number.NEGATIVE_INFINITY, "-infinite"],
  ]);
});

test("escapeMarkup() removes what XML forbids and escapes what it reads", () => {
  assert.equal(
    escapeMarkup(`<a href="x" title='y'>&\u0001\uD800`),
    "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;\uFFFD\uFFFD",
  );
  assert.equal(escapeMarkup("Straße 🐣"), "Straße 🐣");
});

test("escapeScriptJson() cannot end a script and reads back as the same value", () => {
  const value = { text: "</script><!--\u2028&" };
  assert.doesNotMatch(escapeScriptJson(value), /[<>&\u2028]/);
  assert.deepEqual(JSON.parse(escapeScriptJson(value)), value);
});
