/**
 * The two pictures that lie beside a trained model. In: the events of a run and a folder. Out: training_plot.png (for
 * reports and READMEs) and training_plot.html (interactive). Each is written beside its place and renamed, so a reader
 * never sees half a file and a failed write leaves the old one. It does not read logs.
 */
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { writeFileAtomic } from "../files.js";
import { problem } from "../message.js";
import type { TrainEvent } from "../train/events.js";
import { trainingFigure } from "./chart.js";
import { figureToHtml } from "./html.js";
import { svgToPng } from "./png.js";
import { figureToSvg } from "./svg.js";

/**
 * Saves the training chart as a PNG of 1,760 × 960 pixels and as an interactive page.
 *
 * @param events the run's events in order.
 * @param folder where the files go; made when it is missing.
 * @returns the absolute paths of both files.
 * @throws Error when the folder cannot be made or written to; an older picture is then left as it was.
 * @example
 * const { png, html } = await saveTrainingPlot(events, "final_model");
 */
export async function saveTrainingPlot(
  events: readonly TrainEvent[],
  folder: string,
): Promise<{ png: string; html: string }> {
  const figure = trainingFigure(events);
  const png = resolve(join(folder, "training_plot.png"));
  const html = resolve(join(folder, "training_plot.html"));
  try {
    await mkdir(folder, { recursive: true });
    await writeFileAtomic(png, svgToPng(figureToSvg(figure), 2));
    await writeFileAtomic(html, figureToHtml(figure));
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    const expected = "a folder that can be written to, with 8 MB free";
    const fix = "choose another folder, or free space and rights in this one";
    throw new Error(problem({ cannot: `save the training plot in ${folder}`, found, expected, fix }), { cause: error });
  }
  return { png, html };
}
