/**
 * What a model writes, for its card. In: a model whose training has ended, and the engine that trained it. Out: two short
 * texts, the same for the same seed. The weights go into the engine's own variables, so no second copy of the model is made;
 * nothing can be trained on that engine afterwards.
 */
import { loadTokenizer } from "../data/tokenizer.js";
import type { Engine } from "../engine/engine.js";
import { TextModel, weightVariables } from "../generate/text-model.js";
import type { CardSamples } from "./card.js";
import type { ModelContent } from "./huggingface.js";

// A text of the model's own choice, and one that begins as texts do. No prompt is taken from the data, which may be private.
const PROMPTS = ["", "The"];
const DRAWING = { temperature: 0.8, topK: 40, maxNewTokens: 60 };

/**
 * Lets a model write for its card.
 *
 * @param engine any that is open; it keeps the weights
 * @param seed same seed, same texts
 */
export async function drawSamples(engine: Engine, model: ModelContent, seed: number): Promise<CardSamples> {
  const { config, weights, tokenizerFolder } = model;
  await engine.createVariables(weightVariables(config, weights));
  const tokenizer = await loadTokenizer(tokenizerFolder);
  const writer = new TextModel("", config, tokenizer, engine, engine.description, "changing");
  const texts = await writer.generateBatch(PROMPTS, { ...DRAWING, seed });
  const { temperature, topK, maxNewTokens } = DRAWING;
  return {
    drawn: `temperature ${temperature}, top-k ${topK}, seed ${seed}, ${maxNewTokens} tokens at most`,
    texts: PROMPTS.map((prompt, i) => ({ prompt, text: (texts[i] as string).slice(prompt.length) })),
  };
}
