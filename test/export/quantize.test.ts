/** Narrow number formats: every half float there and back, 8-bit integers at most half a step away. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../src/data/random.js";
import { fieldsOf, float, integer, message, text } from "../../src/export/protobuf.js";
import { quantizeBlocks, quantizeColumns, quantizeRows } from "../../src/export/quantize.js";
import { fromFloat16, toFloat16 } from "../../src/model/half.js";

test("toFloat16() gives every half float back", () => {
  const all = Uint16Array.from({ length: 65536 }, (_, bits) => bits);
  const back = toFloat16(fromFloat16(all));
  for (const [i, bits] of all.entries()) {
    const nan = (bits & 0x7fff) > 0x7c00;
    assert.equal(nan ? (back[i] as number) & 0x7e00 : back[i], nan ? 0x7e00 : bits, `bits ${bits}`);
  }
});

test("toFloat16() rounds to the nearest, ties to even, over the whole range", () => {
  const random = seededRandom(3);
  const values = Float32Array.from(
    { length: 20_000 },
    () => (random.uniform() - 0.5) * 2 ** (random.uniform() * 44 - 27),
  );
  const finite = [...fromFloat16(Uint16Array.from({ length: 0x7c00 }, (_, bits) => bits))];
  const rounded = fromFloat16(toFloat16(values));
  const around = (x: number) => {
    let [low, high] = [0, finite.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((finite[middle] as number) <= x) low = middle;
      else high = middle;
    }
    return [finite[low] as number, finite[high] as number];
  };
  for (const [i, value] of values.entries()) {
    const distance = Math.abs((rounded[i] as number) - value);
    for (const other of around(Math.abs(value))) {
      assert.ok(distance <= Math.abs(other - Math.abs(value)), `${value} became ${rounded[i]}`);
    }
  }
  const ties = Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, 2 ** -25, 3 * 2 ** -25, 65519, 65520, -1e9);
  assert.deepEqual(
    [...fromFloat16(toFloat16(ties))],
    [1, 1 + 2 ** -9, 0, 2 ** -23, 65504, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
});

test("quantizeRows() and quantizeColumns() are at most half a step away, keep zero, and use the whole range", () => {
  const random = seededRandom(4);
  const values = Float32Array.from({ length: 6 * 40 }, (_, i) => (i < 40 ? 0 : random.uniform() - 0.5));
  const rows = quantizeRows(values, 40);
  const columns = quantizeColumns(values, 40);
  assert.deepEqual([rows.scales.length, columns.scales.length, rows.scales[0]], [6, 40, 0]);
  for (const [i, value] of values.entries()) {
    for (const [{ integers, scales }, line] of [[rows, Math.floor(i / 40)] as const, [columns, i % 40] as const]) {
      const scale = scales[line] as number;
      const difference = Math.abs(value - scale * (integers[i] as number));
      assert.ok(difference <= scale * 0.5001, `${value} is off by ${difference} with steps of ${scale}`);
    }
  }
  assert.equal(Math.max(...rows.integers.slice(40, 80).map(Math.abs)), 127);
});

test("quantizeBlocks() writes a half float and 32 integers a block", () => {
  const values = Float32Array.from({ length: 64 }, (_, i) => (i < 32 ? i - 16 : 0));
  const bytes = quantizeBlocks(values);
  assert.equal(bytes.length, 2 * 34);
  const scale = fromFloat16(new Uint16Array(bytes.slice(0, 2).buffer))[0] as number;
  assert.ok(Math.abs(scale - 16 / 127) < 1e-4);
  assert.deepEqual([...new Int8Array(bytes.slice(2, 34).buffer)].slice(0, 3), [-127, -119, -111]);
  assert.deepEqual([...bytes.slice(34)], new Array(34).fill(0));
});

test("protobuf messages are the bytes that the format's documentation shows", () => {
  const bytesOf = (...fields: Parameters<typeof fieldsOf>[0]) =>
    Buffer.concat([...fieldsOf(fields).pieces]).toString("hex");
  assert.equal(bytesOf(integer(1, 150)), "089601");
  assert.equal(bytesOf(text(2, "testing")), "120774657374696e67");
  assert.equal(bytesOf(message(3, integer(1, 150))), "1a03089601");
  assert.equal(bytesOf(integer(1, -2)), "08feffffffffffffffff01");
  assert.equal(bytesOf(float(2, 1)), "150000803f");
  assert.equal(bytesOf(integer(20, 2)), "a00102");
});
