/**
 * The safetensors reader and writer: round trips, every refusal by its words, files cut at every byte and 10,000 seeded
 * mutations, each of which must be refused with a reason or read as what it says.
 */
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  readSafetensors,
  readSafetensorsHeader,
  streamSafetensors,
  type TensorData,
  toFloat32,
  writeSafetensors,
} from "../../src/model/safetensors.js";
import { packageRoot } from "../../src/paths.js";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fledge-safetensors-"));
});
after(() => rm(folder, { recursive: true, force: true }));

/** A file from header text and body, as a careless or hostile writer would make it. */
async function handmade(header: string | Uint8Array, body = new Uint8Array(0), headerLength?: bigint): Promise<string> {
  const text = Buffer.from(header);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(headerLength ?? BigInt(text.length));
  const path = join(folder, "handmade.safetensors");
  await writeFile(path, Buffer.concat([size, text, body]));
  return path;
}

const one = (description: string): string => `{"w":${description}}`;
const WHOLE = '{"dtype":"F32","shape":[2],"data_offsets":[0,8]}';

function samples(): Map<string, TensorData> {
  return new Map<string, TensorData>([
    ["u8", { dtype: "U8", shape: [3], data: new Uint8Array([1, 2, 255]) }],
    ["w", { dtype: "F32", shape: [2, 3], data: new Float32Array([1, -2, 3.5, Number.NaN, Infinity, -0]) }],
    ["__proto__", { dtype: "I32", shape: [], data: new Int32Array([-7]) }],
    ["7", { dtype: "I64", shape: [1], data: new BigInt64Array([-(2n ** 63n)]) }],
    ["empty", { dtype: "F64", shape: [0, 4], data: new Float64Array(0) }],
    ['quo"te\n', { dtype: "BF16", shape: [1], data: new Uint16Array([0x3f80]) }],
  ]);
}

test("writeSafetensors() then readSafetensors() gives every tensor back, names as data", async () => {
  const path = join(folder, "round.safetensors");
  await writeSafetensors(path, samples(), new Map([["note", "ü"]]));
  const { tensors, metadata } = await readSafetensors(path);
  assert.deepEqual(new Map([...tensors].sort()), new Map([...samples()].sort()));
  assert.deepEqual([...metadata], [["note", "ü"]]);
  const bytes = await readFile(path);
  assert.equal(bytes.readBigUInt64LE() % 8n, 0n, "the tensors start at a multiple of 8");
  for (const { begin, dtype } of (await readSafetensorsHeader(path)).entries) {
    const width = { U8: 1, BF16: 2, F32: 4, I32: 4, I64: 8, F64: 8 }[dtype as "U8"];
    assert.equal(begin % width, 0, `${dtype} aligned`);
  }
});

test("writeSafetensors() gives the same bytes each time and leaves no temporary file", async () => {
  const [a, b] = [join(folder, "a.safetensors"), join(folder, "b.safetensors")];
  await writeSafetensors(a, samples());
  await writeSafetensors(b, samples());
  assert.deepEqual(await readFile(a), await readFile(b));
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.startsWith(".")),
    [],
  );
});

test("readSafetensors() reads what PyTorch's side wrote, and writeSafetensors() writes it the same", async () => {
  const golden = join(packageRoot(), "test/fixtures/golden-gpt2-tiny/model.safetensors");
  const { tensors, metadata } = await readSafetensors(golden);
  assert.equal(tensors.size, 28);
  assert.deepEqual(tensors.get("transformer.h.0.attn.c_attn.weight")?.shape, [48, 144]);
  const copy = join(folder, "copy.safetensors");
  await writeSafetensors(copy, tensors, metadata);
  assert.deepEqual((await readSafetensors(copy)).tensors, tensors);
});

test("streamSafetensors() skips what is not wanted", async () => {
  const path = join(folder, "some.safetensors");
  await writeSafetensors(path, samples());
  const names: string[] = [];
  for await (const [name] of streamSafetensors(path, (entry) => entry.dtype === "I64")) names.push(name);
  assert.deepEqual(names, ["7"]);
});

test("writeSafetensors() refuses a tensor whose shape or dtype is not its data's", async () => {
  const path = join(folder, "wrong.safetensors");
  const short: TensorData = { dtype: "F32", shape: [2, 2], data: new Float32Array(3) };
  await assert.rejects(writeSafetensors(path, new Map([["w", short]])), {
    name: "TypeError",
    message:
      `Cannot write tensor "w" to ${path}: 3 elements in a Float32Array, expected 4 in a Float32Array for F32 [2, 2]. ` +
      "Fix: give the shape and dtype that the data has.",
  });
  const other: TensorData = { dtype: "F16", shape: [3], data: new Float32Array(3) };
  await assert.rejects(writeSafetensors(path, new Map([["w", other]])), /expected 3 in a Uint16Array for F16 \[3\]/);
  const reserved = new Map([["__metadata__", { ...short, shape: [3] }]]);
  await assert.rejects(writeSafetensors(path, reserved), /the reserved name, expected any other\. Fix: rename it\./);
});

const refused: [criterion: string, make: () => Promise<string>, message: RegExp][] = [
  [
    "a missing file",
    async () => join(folder, "none"),
    /none: no such file, expected a readable \.safetensors file\. Fix/,
  ],
  ["a folder", async () => folder, /a folder or device, expected a file/],
  ["an empty file", () => empty(), /0 bytes, expected at least 8 bytes/],
  [
    "a header above the limit",
    () => handmade("{}", undefined, 100_000_001n),
    /header of 100,000,001 bytes, expected at most 100,000,000 bytes/,
  ],
  ["a header length of 2^64 - 1", () => handmade("{}", undefined, 2n ** 64n - 1n), /18,446,744,073,709,551,615 bytes/],
  [
    "a file cut in its header",
    () => handmade("{}", undefined, 5n),
    /file of 10 bytes, cut short in its header, expected at least 13 bytes/,
  ],
  ["a header that is no JSON", () => handmade("{"), /a header that is not JSON \(.+\), expected a JSON object/],
  ["a header that is no UTF-8", () => handmade(new Uint8Array([0x7b, 0xff, 0x7d])), /not JSON/],
  ["a header that is a list", () => handmade("[]"), /a header that does not start with \{/],
  ["a header after blanks", () => handmade(" {}"), /a header that does not start with \{/],
  ["nesting", () => handmade(`{"a":${"[".repeat(50)}`), /nested lists or objects, expected a JSON object of tensor/],
  ["a truth value", () => handmade('{"a":true}'), /true where integers of 0 or more belong/],
  [
    "a tensor twice",
    () => handmade(`{"w":${WHOLE},"\\u0077":${WHOLE}}`, new Uint8Array(8)),
    /the name "w" twice, expected a JSON object of/,
  ],
  [
    "a key twice",
    () => handmade(one('{"dtype":"I8","dtype":"F32","shape":[2],"data_offsets":[0,8]}')),
    /the name "dtype" twice/,
  ],
  ["__metadata__ twice", () => handmade('{"__metadata__":{},"__metadata__":{}}'), /"__metadata__" twice/],
  ["notes that are no strings", () => handmade('{"__metadata__":{"a":1}}'), /__metadata__ "a" that is no string/],
  ["notes that are a list", () => handmade('{"__metadata__":[]}'), /__metadata__ of another kind/],
  ["a tensor that is a number", () => handmade(one("1")), /tensor "w" without a description/],
  ["an unknown key", () => handmade(one(`{"x":1,${WHOLE.slice(1)}`)), /"x" in tensor "w"/],
  [
    "an unknown dtype",
    () => handmade(one(WHOLE.replace("F32", "F33"))),
    /dtype "F33" in tensor "w", expected one of F64, I64/,
  ],
  ["a dtype of Object", () => handmade(one(WHOLE.replace("F32", "constructor"))), /dtype "constructor"/],
  ["a negative size", () => handmade(one(WHOLE.replace("[2]", "[-2]"))), /: -2 where integers of 0 or more belong/],
  ["a fraction", () => handmade(one(WHOLE.replace("[2]", "[2.0]"))), /: 2\.0 where integers/],
  ["an exponent", () => handmade(one(WHOLE.replace("[2]", "[2e0]"))), /: 2e0 where integers/],
  ["an integer above 2^53", () => handmade(one(WHOLE.replace("[2]", "[9007199254740993]"))), /the shape of tensor "w"/],
  [
    "a size that overflows 2^64",
    () => handmade(one(WHOLE.replace("[2]", "[4294967296,4294967296,2]"))),
    /8 bytes for tensor "w" of F32 \[4294967296, 4294967296, 2\], expected 147,573,952,589,676,412,928 bytes/,
  ],
  [
    "one offset",
    () => handmade(one(WHOLE.replace("[0,8]", "[8]"))),
    /the data_offsets of tensor "w", expected two integers/,
  ],
  ["offsets reversed", () => handmade(one(WHOLE.replace("[0,8]", "[8,0]"))), /-8 bytes for tensor "w"/],
  [
    "a size that disagrees",
    () => handmade(one(WHOLE.replace("[0,8]", "[0,9]"))),
    /9 bytes for tensor "w" of F32 \[2\], expected 8 bytes/,
  ],
  [
    "a hole at the start",
    () => handmade(one(WHOLE.replace("[0,8]", "[8,16]")), new Uint8Array(16)),
    /a hole before tensor "w" at byte 8, expected byte 0/,
  ],
  [
    "an overlap",
    () => handmade(`{"v":${WHOLE},"w":${WHOLE.replace("[0,8]", "[4,12]")}}`, new Uint8Array(12)),
    /an overlap before tensor "w" at byte 4, expected byte 8/,
  ],
  [
    "a file cut in its tensors",
    () => handmade(one(WHOLE), new Uint8Array(7)),
    /file of 69 bytes, cut short, expected 70 bytes/,
  ],
  [
    "bytes of no tensor",
    () => handmade(one(WHOLE), new Uint8Array(9)),
    /file of 71 bytes, with bytes that belong to no tensor, expected 70 bytes/,
  ],
  ["seven bytes", () => raw(new Uint8Array(7)), /7 bytes, expected at least 8 bytes/],
  ["no header", () => handmade(""), /a header that does not start with \{/],
  ["a number as header", () => handmade("7"), /a header that does not start with \{/],
  ["a text as header", () => handmade('"w"'), /a header that does not start with \{/],
  ["a byte-order mark", () => handmade("\uFEFF{}"), /a header that does not start with \{/],
  ["two objects", () => handmade("{}{}"), /a header that is not JSON/],
  ["a comma at the end", () => handmade(`{"w":${WHOLE},}`, new Uint8Array(8)), /a header that is not JSON/],
  ["single quotes", () => handmade("{'w':1}"), /'w':1 where integers of 0 or more belong/],
  ["a name without end", () => handmade('{"w'), /a header that is not JSON/],
  ["an escape that is none", () => handmade(`{"\\x":${WHOLE}}`, new Uint8Array(8)), /a header that is not JSON/],
  ["a line break in a name", () => handmade(`{"a\nb":${WHOLE}}`, new Uint8Array(8)), /a header that is not JSON/],
  ["a description of null", () => handmade(one("null")), /null where integers of 0 or more belong/],
  ["notes of null", () => handmade('{"__metadata__":null}'), /null where integers of 0 or more belong/],
  ["a description that is a text", () => handmade(one('"F32"')), /tensor "w" without a description/],
  ["NaN as size", () => handmade(one(WHOLE.replace("[2]", "[NaN]"))), /NaN where integers/],
  ["infinity as size", () => handmade(one(WHOLE.replace("[2]", "[Infinity]"))), /Infinity where integers/],
  ["a hexadecimal size", () => handmade(one(WHOLE.replace("[2]", "[0x2]"))), /0x2 where integers/],
  ["a plus sign", () => handmade(one(WHOLE.replace("[2]", "[+2]"))), /\+2 where integers/],
  ["a zero before a size", () => handmade(one(WHOLE.replace("[2]", "[02]")), new Uint8Array(8)), /not JSON/],
  ["a shape that is a text", () => handmade(one(WHOLE.replace("[2]", '"2"'))), /the shape of tensor "w"/],
  ["a shape of texts", () => handmade(one(WHOLE.replace("[2]", '["2"]'))), /the shape of tensor "w"/],
  ["a shape of lists", () => handmade(one(WHOLE.replace("[2]", "[[2]]"))), /nested lists or objects/],
  ["no shape", () => handmade(one('{"dtype":"F32","data_offsets":[0,8]}')), /the shape of tensor "w"/],
  ["no dtype", () => handmade(one('{"shape":[2],"data_offsets":[0,8]}')), /dtype undefined in tensor "w"/],
  ["no offsets", () => handmade(one('{"dtype":"F32","shape":[2]}')), /the data_offsets of tensor "w"/],
  ["a dtype that is a number", () => handmade(one(WHOLE.replace('"F32"', "32"))), /dtype 32 in tensor "w"/],
  ["a dtype in small letters", () => handmade(one(WHOLE.replace("F32", "f32"))), /dtype "f32" in tensor "w"/],
  ["three offsets", () => handmade(one(WHOLE.replace("[0,8]", "[0,4,8]"))), /the data_offsets of tensor "w"/],
  [
    "an offset above 2^53",
    () => handmade(one(WHOLE.replace("[0,8]", "[9007199254740992,9007199254741000]"))),
    /the data_offsets of tensor "w"/,
  ],
  [
    "two tensors of the same bytes",
    () => handmade(`{"v":${WHOLE},"w":${WHOLE}}`, new Uint8Array(8)),
    /an overlap before tensor "w" at byte 0, expected byte 8/,
  ],
  [
    "a hole between two tensors",
    () => handmade(`{"v":${WHOLE},"w":${WHOLE.replace("[0,8]", "[9,17]")}}`, new Uint8Array(17)),
    /a hole before tensor "w" at byte 9, expected byte 8/,
  ],
  [
    "a tensor of 8 PB in a small file",
    () => handmade(one(WHOLE.replace("[2]", "[2000000000000000]").replace("[0,8]", "[0,8000000000000000]"))),
    /cut short, expected 8,000,000,000,000,\d+ bytes/,
  ],
  [
    "a header of the largest size in a small file",
    () => handmade("{}", undefined, 100_000_000n),
    /cut short in its header, expected at least 100,000,008 bytes/,
  ],
];

async function raw(bytes: Uint8Array): Promise<string> {
  const path = join(folder, "raw");
  await writeFile(path, bytes);
  return path;
}

async function empty(): Promise<string> {
  return raw(new Uint8Array(0));
}

for (const [criterion, make, message] of refused) {
  test(`readSafetensors() refuses ${criterion}`, async () => {
    await assert.rejects(readSafetensors(await make()), { message });
  });
}

test("readSafetensors() asks for no more bytes than the file has, whatever its header announces", async () => {
  const files = [...refused.slice(2).map(([, make]) => make), () => handmade(one(WHOLE), new Uint8Array(8))];
  const Whole = globalThis.Uint8Array;
  let asked = 0;
  class Counted extends Whole {
    constructor(...from: [length: number]) {
      super(...from);
      if (typeof from[0] === "number") asked += from[0];
    }
  }
  for (const make of files) {
    const path = await make();
    const { size } = await stat(path);
    asked = 0;
    globalThis.Uint8Array = Counted as unknown as typeof Whole;
    try {
      // Twice the header: it is read alone, and before the tensors.
      await readSafetensors(path).catch(() => undefined);
    } finally {
      globalThis.Uint8Array = Whole;
    }
    assert.ok(asked > 0 || size < 8, "the count sees the reader");
    assert.ok(asked <= 2 * size, `${asked} bytes asked for to read ${size}`);
  }
});

test("readSafetensors() refuses a file cut at any byte, naming both sizes", async () => {
  const whole = join(folder, "whole.safetensors");
  await writeSafetensors(whole, new Map([["w", { dtype: "F32", shape: [4], data: new Float32Array(4) }]]));
  const bytes = await readFile(whole);
  const cut = join(folder, "cut.safetensors");
  for (let length = 0; length < bytes.length; length++) {
    await writeFile(cut, bytes.subarray(0, length));
    await assert.rejects(readSafetensors(cut), {
      name: "SyntaxError",
      message: /[\d,]+ bytes.*expected.*[\d,]+ bytes/,
    });
  }
});

test("readSafetensors() refuses or reads 10,000 seeded mutations, and never crashes", async () => {
  const whole = join(folder, "seed.safetensors");
  await writeSafetensors(whole, samples());
  const original = await readFile(whole);
  const random = mulberry32(20240607);
  const integer = (below: number): number => Math.floor(random() * below);
  const alphabet = Buffer.from('{}[]":,0123456789\\eE-. \u0000ÿ');
  const headerEnd = 8 + Number(original.readBigUInt64LE());
  const path = join(folder, "mutant.safetensors");
  let refusals = 0;
  for (let i = 0; i < 10_000; i++) {
    let mutant = Buffer.from(original);
    for (let edits = 1 + integer(3); edits > 0; edits--) {
      const at = integer(random() < 0.9 ? headerEnd : mutant.length);
      const kind = integer(4);
      if (kind === 0) mutant[at] = integer(256);
      else if (kind === 1) mutant[at] = alphabet[integer(alphabet.length)] ?? 0;
      else if (kind === 2) mutant = Buffer.concat([mutant.subarray(0, at), mutant.subarray(at + 1 + integer(4))]);
      else mutant = Buffer.concat([mutant.subarray(0, at), mutant.subarray(at, at + 6), mutant.subarray(at)]);
    }
    await writeFile(path, mutant);
    try {
      const { tensors } = await readSafetensors(path);
      let bytes = 8 + Number(mutant.readBigUInt64LE());
      for (const { shape, data } of tensors.values()) {
        assert.equal(
          data.length,
          shape.reduce((product, size) => product * size, 1),
        );
        bytes += data.byteLength;
      }
      assert.equal(bytes, mutant.length, "every byte belongs to the header or one tensor");
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      assert.match(error.message, /^Cannot read .+ as safetensors: .+, expected .+\. Fix: .+\.$/s);
      refusals++;
    }
  }
  assert.ok(refusals > 5000 && refusals < 10_000, `${refusals} of 10,000 refused`);
});

// Public-domain generator by Tommy Ettinger; enough to pick bytes.
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

test("toFloat32() gives the exact values of F16, BF16, F64 and F32", () => {
  const of = (dtype: TensorData["dtype"], data: TensorData["data"]): number[] => [
    ...toFloat32({ dtype, shape: [data.length], data }),
  ];
  // 1, -2, largest, smallest normal, smallest subnormal, infinities, NaN, -0 (IEEE 754 binary16)
  const f16 = [0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x7c00, 0xfc00, 0x7e00, 0x8000];
  assert.deepEqual(of("F16", new Uint16Array(f16)), [
    1,
    -2,
    65504,
    2 ** -14,
    2 ** -24,
    Infinity,
    -Infinity,
    Number.NaN,
    -0,
  ]);
  assert.deepEqual(of("BF16", new Uint16Array([0x3f80, 0xc049, 0x7f80, 0x0001])), [1, -3.140625, Infinity, 2 ** -133]);
  assert.deepEqual(of("F64", new Float64Array([0.1])), [Math.fround(0.1)]);
  const same = new Float32Array([1.5]);
  assert.equal(toFloat32({ dtype: "F32", shape: [1], data: same }), same);
});

test("toFloat32() refuses integers", () => {
  assert.throws(() => toFloat32({ dtype: "I64", shape: [1], data: new BigInt64Array(1) }, "w"), {
    name: "TypeError",
    message:
      "Cannot read w as 32-bit floats: I64, expected F32, F16, BF16 or F64. Fix: save the model in float32, float16 or bfloat16.",
  });
});
