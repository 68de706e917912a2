/** The tiny golden model on an engine, ready to decode, and a tokenizer for it: one character a token. */
import type { Tokenizer } from "../../src/data/tokenizer.js";
import { Decoder } from "../../src/generate/decoder.js";
import { weightShapes } from "../../src/model/gpt2-config.js";
import { loadPretrained } from "../../src/model/pretrained.js";
import { openForTest, type TestedEngine } from "../engines.js";
import { goldenFolder } from "../golden.js";

const { config, weights } = await loadPretrained(goldenFolder);

export { config };

/** Opens an engine with the golden weights, which may change only where that is said; or says why it cannot be. */
export async function openGolden(name: TestedEngine, kind: "changing" | "fixed" = "fixed") {
  const engine = await openForTest(name);
  if (typeof engine === "string") return engine;
  const variables = [...weightShapes(config)].map(([weight, shape]) => {
    return [weight, { shape, values: weights.get(weight) as Float32Array }] as const;
  });
  await engine.createVariables(new Map(variables));
  return { engine, decoder: new Decoder(engine, config, kind) };
}

/** Token n is the n-th character from the space on; the last, 96, ends a text and shows as "¶". */
export const characters: Tokenizer = {
  vocabularySize: 97,
  endOfTextId: 96,
  folder: "",
  sha256: "",
  encode: (text) => Uint32Array.from(text, (character) => (character === "¶" ? 96 : character.charCodeAt(0) - 32)),
  bytesOf: (id) => Buffer.from(characters.decode([id])),
  decode: (ids) => Array.from(ids, (id) => (id === 96 ? "¶" : String.fromCharCode(id + 32))).join(""),
};
