/**
 * From a run's events to what a chart of it needs. In: the events of one run, also of one that was stopped and resumed
 * (one after the other, as the run log keeps them). Out: training and validation loss on one true step axis and the
 * moments worth a mark. It draws nothing and changes no number.
 */
import type { EvaluationEvent, FinishEvent, StartEvent, StepEvent, TrainEvent } from "../train/events.js";
import type { Curve } from "./downsample.js";

/** What happened in a run, by optimiser step. */
export interface TrainingCurves {
  /** Training loss in nats per token, one point a step (or a log, when the events hold no steps). */
  readonly train: Curve;
  /** Validation loss in nats per token, one point an evaluation; step 0 is the model before training. */
  readonly validation: Curve;
  /** The best evaluation, absent before the first one. */
  readonly best?: { readonly step: number; readonly validationLoss: number };
  /** Steps at which the run was resumed. */
  readonly resumedAt: readonly number[];
  /** Steps that were refused because a number was not finite. */
  readonly skippedAt: readonly number[];
  /** Learning rate and gradient norm of every step. */
  readonly learningRate: Curve;
  readonly gradientNorm: Curve;
  /** Steps whose loss stood far above those before. */
  readonly spikes: Curve;
  /** Steps at which memory ran out and the micro-batch was halved. */
  readonly outOfMemoryAt: readonly number[];
  /** Evaluations without improvement: how many in a row, and where. */
  readonly waits: readonly { readonly step: number; readonly validationLoss: number; readonly count: number }[];
  /** The last optimiser step that any event names. */
  readonly lastStep: number;
  readonly start?: StartEvent;
  readonly finish?: FinishEvent;
}

/**
 * Collects the curves of a run. Where a resumed run repeats steps, the repeated ones replace the old.
 *
 * @param events the run's events in order, any number of them.
 * @returns the curves; points whose loss is not finite are left out.
 * @example
 * trainingCurves([]).train; // { x: [], y: [] }
 */
export function trainingCurves(events: readonly TrainEvent[]): TrainingCurves {
  const steps = new Map<number, StepEvent>();
  const spikes = new Map<number, number>();
  const outOfMemory = new Set<number>();
  const logs = new Map<number, number>();
  const evaluations = new Map<number, EvaluationEvent>();
  const skipped = new Set<number>();
  const resumed = new Set<number>();
  let start: StartEvent | undefined;
  let finish: FinishEvent | undefined;
  for (const event of events.flatMap(withHistory)) {
    if (event.type === "start") {
      start = event;
      finish = undefined;
      const from = event.resumedFromStep;
      if (from > 0) resumed.add(from);
      // What came after the checkpoint was lost with the old process and is done again.
      for (const series of [steps, logs, evaluations, skipped, spikes, outOfMemory]) forgetAfter(series, from);
    } else if (event.type === "step") steps.set(event.step, event);
    else if (event.type === "log") logs.set(event.step, event.loss);
    else if (event.type === "evaluation") evaluations.set(event.step, event);
    else if (event.type === "skipped") skipped.add(event.step);
    else if (event.type === "spike") spikes.set(event.step, event.loss);
    else if (event.type === "out-of-memory") outOfMemory.add(event.step);
    else if (event.type === "finish") finish = event;
  }
  const of = (value: (event: StepEvent) => number) =>
    curveOf(new Map([...steps].map(([step, event]) => [step, value(event)])));
  const best = bestOf([...evaluations.values()]);
  return {
    train: steps.size > 0 ? of((event) => event.loss) : curveOf(logs),
    learningRate: of((event) => event.learningRate),
    gradientNorm: of((event) => event.gradientNorm),
    spikes: curveOf(spikes),
    outOfMemoryAt: [...outOfMemory].sort((a, b) => a - b),
    waits: [...evaluations.values()]
      .filter(({ evaluationsWithoutImprovement }) => evaluationsWithoutImprovement > 0)
      .map(({ step, validationLoss, evaluationsWithoutImprovement: count }) => ({ step, validationLoss, count })),
    validation: curveOf(new Map([...evaluations].map(([step, event]) => [step, event.validationLoss]))),
    resumedAt: [...resumed].sort((a, b) => a - b),
    skippedAt: [...skipped].sort((a, b) => a - b),
    lastStep: [...steps.keys(), ...logs.keys(), ...evaluations.keys(), ...skipped].reduce((a, b) => Math.max(a, b), 0),
    ...(best && { best: { step: best.step, validationLoss: best.validationLoss } }),
    ...(start && { start }),
    ...(finish && { finish }),
  };
}

function withHistory(event: TrainEvent): readonly TrainEvent[] {
  return event.type === "start" && event.history ? [...event.history, event] : [event];
}

function forgetAfter(series: Map<number, unknown> | Set<number>, last: number): void {
  for (const step of [...series.keys()]) if (step > last) series.delete(step);
}

function curveOf(points: ReadonlyMap<number, number>): Curve {
  const sorted = [...points].filter(([, loss]) => Number.isFinite(loss)).sort(([a], [b]) => a - b);
  return { x: sorted.map(([step]) => step), y: sorted.map(([, loss]) => loss) };
}

function bestOf(evaluations: readonly EvaluationEvent[]): EvaluationEvent | undefined {
  const finite = evaluations.filter((event) => Number.isFinite(event.validationLoss));
  return finite.reduce<EvaluationEvent | undefined>(
    (best, event) => (best === undefined || event.validationLoss < best.validationLoss ? event : best),
    undefined,
  );
}
