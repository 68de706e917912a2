import assert from "node:assert/strict";
import { test } from "node:test";
import { compileCell } from "../../kernel/cell.js";
import { barrierMark, executionMark, LineReader, MarkedTextReader, type SessionEvent } from "../../kernel/channel.js";
import { codeFrame } from "../../kernel/code-frame.js";
import { OutputMerger } from "../../kernel/merge.js";
import { declaredNames, mentionedNames } from "../../kernel/names.js";
import { decodeMessage, encodeMessage, newMessage } from "../../kernel/protocol.js";

test("encodeMessage() and decodeMessage() agree, a changed byte or key does not", () => {
  const message = newMessage("execute_request", "s", undefined, { code: "é" }, { identities: [Buffer.from("id")] });
  const frames = encodeMessage(message, "key");
  assert.deepEqual(decodeMessage(frames, "key")?.content, { code: "é" });
  assert.equal(decodeMessage(frames, "other"), undefined);
  assert.equal(decodeMessage(frames.slice(0, -1), "key"), undefined);
  for (let index = 2; index < frames.length; index++) {
    const changed = frames.map((frame, i) => (i === index ? Buffer.concat([frame, Buffer.from(" ")]) : frame));
    assert.equal(decodeMessage(changed, "key"), undefined);
  }
});

test("compileCell() makes declarations redeclarable and the last expression the result", () => {
  assert.equal(
    compileCell("const a: number = 1; a + 1", "c.ts").code,
    '"use strict";\nlet a = 1;\n__fledge.result(a + 1);\n',
  );
  assert.match(
    compileCell("import x, { y as z } from 'm';", "c.ts").code,
    /^let \{ default: x, y: z \} = await __fledge\.import\('m'\);/,
  );
  assert.match(
    compileCell("while (a) b();", "c.ts").code,
    /while \(a\) \{\s+if \(__fledge\.flag\[0\]\)\s+__fledge\.stop\(\);\s+b\(\);/,
  );
});

test("MarkedTextReader finds marks wherever the chunks are cut", () => {
  const bytes = Buffer.from(`é${executionMark("n", 12)}text \0 more${barrierMark("n", 3)}end`);
  for (let cut = 0; cut <= bytes.length; cut++) {
    const reader = new MarkedTextReader("n");
    const parts = [...reader.read(bytes.subarray(0, cut)), ...reader.read(bytes.subarray(cut))];
    const text = parts.map((part) => ("text" in part ? part.text : JSON.stringify(part))).join("");
    assert.equal(text, 'é{"execution":12}text \0 more{"barrier":3}end', `cut at ${cut}`);
  }
});

test("LineReader joins lines over any number of chunks", () => {
  const reader = new LineReader();
  assert.deepEqual(
    ["a", "b\ncd", "", "é\n\nx"].flatMap((chunk) => reader.read(Buffer.from(chunk))),
    ["ab", "cdé", ""],
  );
});

test("OutputMerger keeps the order of the barriers, whichever pipe is read first", () => {
  const said: string[] = [];
  const merger = new OutputMerger("n", {
    text: (name, text, execution) => said.push(`${name}${execution} ${text}`),
    event: (event: SessionEvent) => said.push(event.type),
  });
  const line = (event: SessionEvent) => Buffer.from(`${JSON.stringify(event)}\n`);
  merger.push("events", Buffer.concat([line({ type: "barrier", barrier: 1 }), line({ type: "ready" })]));
  merger.push("stderr", Buffer.from(`${barrierMark("n", 1)}late`));
  assert.deepEqual(said, []);
  merger.push("stdout", Buffer.from(`${executionMark("n", 7)}early${barrierMark("n", 1)}`));
  assert.deepEqual(said, ["stdout7 early", "stderr0 late", "ready"]);
  merger.push("events", Buffer.concat([line({ type: "barrier", barrier: 2 }), line({ type: "ready" })]));
  merger.end("stdout");
  merger.end("stderr");
  assert.deepEqual(said.slice(3), ["ready"]);
});

test("declaredNames() and mentionedNames() see the top level of a cell", () => {
  const source =
    "export const { a, b: [c] } = x; let d; function e() { var no; } type F = 1; import g, * as h from 'm'; if (d) { var i = 1; let no2; }";
  assert.deepEqual(
    declaredNames(source).map(({ name, kind, exported }) => `${name} ${kind}${exported ? " exported" : ""}`),
    ["a const exported", "c const exported", "d let", "e other", "F other", "g other", "h other", "i let"],
  );
  assert.ok(mentionedNames("a.b(c => d)").has("d"));
});

test("codeFrame() underlines the place and keeps tabs", () => {
  assert.deepEqual(codeFrame("const a = 1;\na.b.c", { line: 2, column: 3 }), [
    "  1 | const a = 1;",
    "> 2 | a.b.c",
    "    |   ^",
  ]);
  assert.deepEqual(codeFrame("\tx", { line: 1, column: 2 }, 9), ["> 1 | \tx", "    | \t^"]);
});
