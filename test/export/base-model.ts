/** The embedded base model in a folder of its own to export into, and what it writes: the text that every export must write too. */
import { cp, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openModel } from "../../src/generate/text-model.js";
import { packageRoot } from "../../src/paths.js";

/** A prompt, and how many tokens are asked for. */
export interface Question {
  readonly prompt: string;
  readonly newTokens: number;
}

/** Any prompt will do where weights are stored to 16 bits or more. */
export const question: Question = { prompt: "The old man looked at the sea and", newTokens: 40 };

/** Here the base model prefers every token by at least 0.18 nats: more than 8-bit weights can turn round. */
export const clearQuestions: readonly Question[] = [
  { prompt: "He said that he would", newTokens: 13 },
  { prompt: "The king of the", newTokens: 20 },
];

/** @returns a new folder below the system's temporary one, with the base model in its `final_model` */
export async function copyOfBaseModel(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "fledge-exported-"));
  await cp(join(packageRoot(), "models/fledge-base"), join(root, "final_model"), { recursive: true });
  return root;
}

/** Greedy texts, prompts included, by Fledge itself. */
export async function ownTexts(questions: readonly Question[]): Promise<string[]> {
  const model = await openModel("fledge-base", { mixedPrecision: false });
  const texts: string[] = [];
  for (const { prompt, newTokens } of questions) {
    texts.push(await model.generate(prompt, { temperature: 0, maxNewTokens: newTokens }));
  }
  await model.dispose();
  return texts;
}
