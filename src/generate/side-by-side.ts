/**
 * What several models write for the same prompts and seeds. In: open models. Out: their texts, row by row, and a display of them
 * side by side. It measures nothing.
 */
import { type Displayable, jupyterDisplay } from "../view/display.js";
import { compareTexts } from "../view/table.js";
import type { GenerateOptions } from "./options.js";
import type { TextModel } from "./text-model.js";

/** One prompt with one seed. */
export interface SideBySideRow {
  readonly prompt: string;
  readonly seed: number;
  /** What each model added, in the order of the models. */
  readonly texts: readonly { readonly title: string; readonly text: string }[];
}

/**
 * Lets models continue the same prompts with the same seeds.
 *
 * @param models a title and a model each, such as the base and the tuned one
 * @param prompts at least one
 * @param options as for `generate()`; `seeds` instead of one seed, default 42 only
 * @returns the rows; shown in a notebook, each prompt with its texts side by side
 * @example
 * display(await sideBySide([{ title: "base", model: base }, { title: "tuned", model: tuned }], ["My fellow"], { seeds: [1, 2] }));
 */
export async function sideBySide(
  models: readonly { readonly title: string; readonly model: TextModel }[],
  prompts: readonly string[],
  options: Omit<GenerateOptions, "seed"> & { readonly seeds?: readonly number[] } = {},
): Promise<Displayable & { readonly rows: readonly SideBySideRow[] }> {
  const { seeds = [42], ...rest } = options;
  const asked = prompts.flatMap((prompt) => seeds.map((seed) => ({ prompt, seed })));
  const added: string[][] = [];
  for (const { model } of models) {
    const texts = asked.map(() => "");
    for await (const { row, text } of model.streamBatch(asked, rest)) texts[row] += text;
    added.push(texts);
  }
  const rows = asked.map(({ prompt, seed }, row) => ({
    prompt,
    seed,
    texts: models.map(({ title }, model) => ({ title, text: added[model]?.[row] ?? "" })),
  }));
  const shown = rows.map(({ prompt, seed, texts }) =>
    compareTexts(texts.map(({ title, text }) => ({ title: `${title}, seed ${seed}`, text: prompt + text })))[
      jupyterDisplay
    ](),
  );
  return {
    rows,
    [jupyterDisplay]: () => ({
      "text/html": shown.map((bundle) => bundle["text/html"]).join("<hr>"),
      "text/plain": shown.map((bundle) => bundle["text/plain"]).join("\n\n"),
    }),
  };
}
