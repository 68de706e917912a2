/**
 * The thread behind `encodeTexts`. In: the folder of a tokenizer, then tasks. Out: an answer a task. Started by encode.ts only.
 */
import { parentPort, workerData } from "node:worker_threads";
import { problem } from "../message.js";
import { loadTokenizer } from "./tokenizer.js";

/** Texts to encode; `first` is the place of the first among all. */
export interface EncodeTask {
  readonly first: number;
  readonly texts: readonly string[];
}

/** Their ids. */
export interface EncodeAnswer {
  readonly first: number;
  readonly ids: readonly Uint32Array[];
}

const { folder, sha256 } = workerData as { folder: string; sha256: string };
const tokenizer = await loadTokenizer(folder);
if (tokenizer.sha256 !== sha256) {
  throw new Error(
    problem({
      cannot: "encode texts",
      found: `another tokenizer.json in ${folder} than was loaded (SHA-256 ${tokenizer.sha256})`,
      expected: sha256,
      fix: "load the tokenizer again",
    }),
  );
}
parentPort?.on("message", ({ first, texts }: EncodeTask) => {
  const ids = texts.map((text) => tokenizer.encode(text));
  const answer: EncodeAnswer = { first, ids };
  parentPort?.postMessage(
    answer,
    ids.map((row) => row.buffer as ArrayBuffer),
  );
});
