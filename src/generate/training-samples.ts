/**
 * What a model writes while it is trained. In: the engine that trains it, prompts, a seed. Out: one event a prompt. The weights
 * stay where they are; adapters count as they do in training. It decides nothing about when to write.
 */
import type { TrainingConfig } from "../config/training-config.js";
import { loadTokenizer } from "../data/tokenizer.js";
import type { Engine, StepFunction } from "../engine/engine.js";
import type { WeightReader } from "../model/gpt2.js";
import type { Gpt2Config } from "../model/gpt2-config.js";
import type { SampleEvent } from "../train/events.js";
import { trainableOf } from "../train/lora.js";
import { TextModel } from "./text-model.js";

/**
 * Prepares the samples of a run.
 *
 * @param run the engine holds its variables when the function is called
 * @returns writes a continuation of every one of `samplePrompts`; undefined when there are none
 */
export async function trainingSampler(run: {
  readonly engine: Engine;
  readonly modelConfig: Gpt2Config;
  readonly config: TrainingConfig;
  readonly tokenizerFolder: string;
}): Promise<((step: number) => Promise<SampleEvent[]>) | undefined> {
  const { config, modelConfig } = run;
  const { samplePrompts, sampleTokens, seed } = config;
  if (samplePrompts.length === 0) return undefined;
  const { weights } = trainableOf(modelConfig, config);
  const engine = weights ? withWeights(run.engine, weights) : run.engine;
  const tokenizer = await loadTokenizer(run.tokenizerFolder);
  const model = new TextModel(config.modelName, modelConfig, tokenizer, engine, "the engine of the run", "changing");
  return async (step) => {
    const options = { maxNewTokens: sampleTokens, seed, temperature: 0.8, topK: 40 };
    const texts = await model.generateBatch(samplePrompts, options);
    return samplePrompts.map((prompt, i) => ({
      ...{ type: "sample", step, prompt },
      text: (texts[i] as string).slice(prompt.length),
    }));
  };
}

// The same engine, whose steps see the weights that the variables amount to.
function withWeights(engine: Engine, weights: (variable: WeightReader) => WeightReader): Engine {
  const compile: Engine["compile"] = (name, inputs, step, ...rest) => {
    const seeing: typeof step = ((values, variables) =>
      step(values, {
        read: weights((variable) => variables.read(variable)),
        assign: (...words) => variables.assign(...words),
        assignAdd: (...words) => variables.assignAdd(...words),
        assignSlice: (...words) => variables.assignSlice(...words),
        adam: (update) => variables.adam(update),
      })) satisfies StepFunction;
    return engine.compile(name, inputs, seeing, ...rest);
  };
  return {
    ...{ name: engine.name, description: engine.description, compile },
    createVariables: (variables) => engine.createVariables(variables),
    deleteVariables: (names) => engine.deleteVariables(names),
    readVariables: (names) => engine.readVariables(names),
    dispose: () => engine.dispose(),
  };
}
