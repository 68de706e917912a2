import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../src/data/random.js";
import { loadTokenizer } from "../../src/data/tokenizer.js";
import { TextAssembler } from "../../src/generate/text-assembler.js";
import { findModel } from "../../src/model/find-model.js";
import { characters } from "./golden-decoder.js";

const tokenizer = await loadTokenizer((await findModel("fledge-base")).folder);

test("TextAssembler gives the decoded text in pieces, never half a character", () => {
  const text = "Fellow citizens 😀🇪🇺 naïve 漢字 \u{1F468}\u200D\u{1F469}\u200D\u{1F467} end";
  const assembler = new TextAssembler(tokenizer);
  const pieces = [...tokenizer.encode(text)].map((id) => assembler.push(id).text);
  assert.ok(pieces.every((piece) => !piece.includes("\uFFFD")));
  assert.equal(pieces.join("") + assembler.finish().text, text);
  assert.ok(
    pieces.some((piece) => piece === ""),
    "some character took several tokens",
  );
});

test("TextAssembler gives what decode() gives for any tokens", () => {
  const random = seededRandom(3);
  for (let round = 0; round < 200; round++) {
    const ids = Array.from({ length: 30 }, () => random.integer(round % 2 ? 260 : tokenizer.vocabularySize));
    const assembler = new TextAssembler(tokenizer);
    const text = ids.map((id) => assembler.push(id).text).join("") + assembler.finish().text;
    assert.equal(text, tokenizer.decode(ids));
  }
});

test("TextAssembler cuts before the first stop string and holds back what may begin one", () => {
  const push = (stops: string[], text: string) => {
    const assembler = new TextAssembler(characters, stops);
    const pieces: string[] = [];
    for (const id of characters.encode(text)) {
      const { text, stopped } = assembler.push(id);
      pieces.push(text);
      if (stopped) return { pieces, stopped };
    }
    pieces.push(assembler.finish().text);
    return { pieces, stopped: false };
  };
  assert.deepEqual(push(["END"], "aENEND b"), { pieces: ["a", "", "", "EN", "", ""], stopped: true });
  assert.deepEqual(push(["END"], "aEN"), { pieces: ["a", "", "", "EN"], stopped: false });
  assert.deepEqual(push(["aab", "ab"], "aaab").pieces.join(""), "a");
  assert.deepEqual(push(["xyz", "b"], "axb").pieces.join(""), "ax");
});
