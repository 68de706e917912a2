/** Texts of every format and encoding: what is read, what is guessed with which reason, what is refused. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { chooseColumn } from "../../src/data/column.js";
import { loadDataset } from "../../src/data/dataset.js";
import { packageRoot } from "../../src/paths.js";

const folder = await mkdtemp(join(tmpdir(), "fledge-readers-"));
after(() => rm(folder, { recursive: true }));

async function file(name: string, content: string | Buffer): Promise<string> {
  const path = join(folder, name);
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, content);
  return path;
}

const texts = async (path: string, textColumn?: string) =>
  (await loadDataset(path, { textColumn })).documents.map(({ text }) => text);

const long = 'A text of several lines.\nWith "quotes", commas; and ümläuts 世界 😀.';
const rows = [
  { title: "A", text: long },
  { title: "B", text: "Second." },
  { title: "C", text: "" },
  { title: "D", text: "Fourth." },
];
const expected = [long, "Second.", "Fourth."];
const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`;
const table = (sign: string) =>
  [["title", "text"], ...rows.map(({ title, text }) => [title, text])]
    .map((row) => row.map(quoted).join(sign))
    .join("\r\n");

const written: readonly (readonly [name: string, content: string])[] = [
  ["rows.jsonl", `${rows.map((row) => JSON.stringify(row)).join("\n")}\n`],
  ["rows.ndjson", rows.map((row) => JSON.stringify(row)).join("\r\n\r\n")],
  ["rows.json", JSON.stringify(rows, null, 2)],
  ["rows.csv", table(",")],
  ["semicolon.csv", table(";")],
  ["rows.tsv", table("\t")],
];
for (const [name, content] of written) {
  test(`loadDataset() reads ${name}, plain and with .gz: a document a row, empty ones left out`, async () => {
    const dataset = await loadDataset(await file(name, content));
    assert.deepEqual(
      dataset.documents,
      expected.map((text, i) => ({ id: `${name}:${[1, 2, 4][i]}`, text })),
    );
    assert.deepEqual(dataset.notes, ['The text is column "text": its name says so.']);
    assert.deepEqual(await texts(await file(`${name}.gz`, gzipSync(content))), expected);
  });
}

test("loadDataset() reads parquet that pyarrow wrote, with every usual compression, in row groups, with nulls", async () => {
  const codecs = ["none", "snappy", "gzip", "zstd", "brotli", "lz4"];
  const code = `
import json, sys, pyarrow as pa, pyarrow.parquet as pq
rows = json.load(open(sys.argv[1]))
table = pa.table({"n": pa.array(range(len(rows))), "text": pa.array(rows, pa.string()), "big": pa.array(rows, pa.large_string())})
for codec in sys.argv[3:]:
    pq.write_table(table, f"{sys.argv[2]}/{codec}.parquet", compression=codec, row_group_size=300, data_page_size=2000)
    pq.write_table(table, f"{sys.argv[2]}/{codec}-2.parquet", compression=codec, version="2.6", data_page_version="2.0", use_dictionary=False)
`;
  const many = Array.from({ length: 1000 }, (_, i) =>
    i % 7 === 3 ? null : i % 5 === 0 ? "again" : `${i} ${long.repeat(i % 4)}`,
  );
  const python = join(packageRoot(), process.platform === "win32" ? ".venv/Scripts/python.exe" : ".venv/bin/python");
  await promisify(execFile)(python, ["-c", code, await file("parquet.json", JSON.stringify(many)), folder, ...codecs]);
  const whole = many.filter((text) => text !== null);
  for (const codec of codecs) {
    for (const version of ["", "-2"]) {
      assert.deepEqual(await texts(join(folder, `${codec}${version}.parquet`)), whole, `${codec}${version}`);
    }
  }
  assert.deepEqual(await texts(join(folder, "zstd.parquet"), "big"), whole);
  const packed = await file("zstd.parquet.gz", gzipSync(await readFile(join(folder, "zstd.parquet"))));
  assert.deepEqual(await texts(packed), whole);
  const bytes = await readFile(join(folder, "snappy.parquet"));
  await assert.rejects(loadDataset(await file("cut.parquet", bytes.subarray(0, 5000))), {
    name: "SyntaxError",
    message:
      /cut\.parquet": parquet that cannot be read \(.+\), expected a whole parquet file\. Fix: mend the file, or make it again\./,
  });
});

test("loadDataset() reads markdown and packed text as one document each, and passes over a README beside rows", async () => {
  assert.deepEqual(await texts(await file("page.md", "# Title\n\nText.")), ["# Title\n\nText."]);
  assert.deepEqual(await texts(await file("page.txt.gz", gzipSync("packed"))), ["packed"]);
  await file("mixed/README.md", "about");
  await file("mixed/a.jsonl", '{"text":"row"}');
  await file("mixed/b.txt", "whole");
  const dataset = await loadDataset(join(folder, "mixed"));
  assert.deepEqual(dataset.documents, [
    { id: "a.jsonl:1", text: "row" },
    { id: "b.txt", text: "whole" },
  ]);
  assert.deepEqual(dataset.notes?.[0], "Left out 1 file of other kinds: README.md.");
});

const refused: [criterion: string, name: string, content: string | Buffer, message: RegExp][] = [
  [
    "a line that is no JSON",
    "bad.jsonl",
    '{"text":"a"}\n{"text":',
    /bad\.jsonl": line 2 that is no JSON \(.+\), expected one JSON object a line\. Fix: mend/,
  ],
  ["a line that is a number", "number.jsonl", "7", /line 1 that is no object, expected an object with a text in it/],
  [
    "a CSV row with too many values",
    "bad.csv",
    "text,n\na,1\nb,2,3\n",
    /Invalid Record Length.+ line 3.*, expected rows of as many values as the first line has names, parted by ","/,
  ],
  [
    "rows without a text",
    "numbers.jsonl",
    '{"a":1,"b":[2]}',
    /"a", "b", expected a column of texts\. Fix: give a file with texts in it\./,
  ],
  [
    "a file without rows",
    "none.csv",
    "text,title\n",
    /no rows, expected at least one\. Fix: give a file with rows in it\./,
  ],
  ["rows whose text is blank", "blank.jsonl", '{"text":" "}', /no text in any row, expected at least one text/],
  [
    "a row of another kind",
    "kinds.jsonl",
    `${'{"text":"a"}\n'.repeat(120)}{"text":5}`,
    /row 121 with a number in column "text", expected a text\. Fix: mend the row, or set textColumn/,
  ],
  [
    "gzip that is cut short",
    "cut.txt.gz",
    gzipSync("a long text ".repeat(1000)).subarray(0, 40),
    /gzip data that is damaged or cut short \(.+\), expected a whole gzip file\. Fix: copy or pack/,
  ],
  ["gzip that is none", "none.txt.gz", "plain", /gzip data that is damaged or cut short/],
];
for (const [criterion, name, content, message] of refused) {
  test(`loadDataset() refuses ${criterion}`, async () => {
    await assert.rejects(loadDataset(await file(name, content)), { message });
  });
}

test("chooseColumn() takes the column that is asked for, named, alone or longest, and says why", () => {
  const choose = (row: Record<string, unknown>, asked = "") => chooseColumn(asked, [row], "t.csv");
  assert.deepEqual(choose({ Text: "a", title: "b" }), { name: "Text", reason: "its name says so" });
  assert.deepEqual(choose({ body: "a", content: "b" }), { name: "content", reason: "its name says so" });
  assert.deepEqual(choose({ n: 1, poem: "a" }), { name: "poem", reason: "no other column holds text" });
  assert.deepEqual(choose({ title: "ab", poem: "abcd", author: "c" }), {
    name: "poem",
    reason: 'its texts are the longest, 4 characters on average; others are "title", "author"',
  });
  assert.deepEqual(choose({ text: "a", poem: "b" }, "poem"), { name: "poem", reason: "textColumn asks for it" });
  assert.throws(() => choose({ text: "a", poem: "b", n: 1 }, "peom"), {
    name: "RangeError",
    message:
      'Cannot load rows of "t.csv": no column "peom", expected one of "text", "poem". Fix: set textColumn: "poem".',
  });
  assert.throws(() => choose({ text: "a", n: 1 }, "n"), /no text in column "n", expected one of "text"/);
});

const german = "Die Straße führt über die Brücke, wo schöne Mädchen Äpfel für fünf Groschen verkaufen. ".repeat(20);
const russian = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему. ".repeat(
  20,
);
const japanese = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。".repeat(20);
const utf16be = (text: string) => Buffer.from(text, "utf16le").swap16();
// Windows-1251 and Shift-JIS by their own decoders, turned around.
function encodeAs(name: string, text: string): Buffer {
  const decoder = new TextDecoder(name);
  const bytesOf = new Map<string, number[]>();
  for (let a = 255; a >= 0; a--) {
    bytesOf.set(decoder.decode(Uint8Array.of(a)), [a]);
    if (name === "shift_jis" && a > 0x80)
      for (let b = 0x40; b < 0xfd; b++) bytesOf.set(decoder.decode(Uint8Array.of(a, b)), [a, b]);
  }
  return Buffer.from([...text].flatMap((character) => bytesOf.get(character) ?? []));
}

const encodings: readonly (readonly [name: string, bytes: Buffer, text: string, note: RegExp | undefined])[] = [
  ["UTF-8", Buffer.from(german), german, undefined],
  ["UTF-8 with a mark", Buffer.from(`\uFEFF${german}`), german, undefined],
  ["UTF-16LE with a mark", Buffer.from(`\uFEFF${german}`, "utf16le"), german, /read as utf-16le: its byte-order mark/],
  ["UTF-16BE with a mark", utf16be(`\uFEFF${german}`), german, /read as utf-16be: its byte-order mark/],
  ["UTF-16LE without a mark", Buffer.from(german, "utf16le"), german, /read as utf-16le: a zero in every second byte/],
  ["UTF-16BE without a mark", utf16be(german), german, /read as utf-16be: a zero in every second byte/],
  ["Latin-1", Buffer.from(german, "latin1"), german, /read as windows-1252: its bytes are no UTF-8/],
  [
    "Windows-1252",
    Buffer.concat([
      Buffer.from(german, "latin1"),
      Buffer.from([0x84, 0x4a, 0x61, 0x93, 0x20, 0x96, 0x20, 0x35, 0x20, 0x80, 0x85]),
    ]),
    `${german}„Ja“ – 5 €…`,
    /read as windows-1252: its bytes are no UTF-8/,
  ],
  ["Windows-1251", encodeAs("windows-1251", russian), russian, /read as windows-1251: its bytes are no UTF-8/],
  ["Shift-JIS", encodeAs("shift_jis", japanese), japanese, /read as shift_jis: its bytes are no UTF-8/],
];
for (const [name, bytes, text, note] of encodings) {
  test(`loadDataset() reads ${name}`, async () => {
    const dataset = await loadDataset(await file("encoded.txt", bytes));
    assert.equal(dataset.documents[0]?.text, text);
    if (note) assert.match(dataset.notes?.[0] ?? "", note);
    else assert.equal(dataset.notes, undefined);
  });
}

test("loadDataset() reads damaged UTF-8 as UTF-8 and counts the damage, with the place of the first", async () => {
  const bytes = Buffer.concat([Buffer.from(german), Buffer.from([0xe9, 0x20, 0xc3]), Buffer.from(` ${german}`)]);
  const dataset = await loadDataset(await file("damaged.txt", bytes));
  assert.equal(dataset.documents[0]?.text, `${german}\uFFFD \uFFFD ${german}`);
  assert.deepEqual(dataset.notes, [
    "damaged.txt is read as utf-8: 360 sound characters beyond ASCII, 2 damaged characters.",
    "2 characters that could not be read are in the text as U+FFFD, the first in damaged.txt: save the file again in UTF-8.",
  ]);
});

test("loadDataset() reports text that was decoded wrongly before it came here", async () => {
  const dataset = await loadDataset(await file("mojibake.txt", `Caf${"Ã©"} or no caf${"Ã©"}, it${"â€™"}s the same.`));
  assert.deepEqual(dataset.notes, [
    "3 places look like UTF-8 that was once read as Windows-1252 (Ã© for é), the first in mojibake.txt: convert the text before training.",
  ]);
});
