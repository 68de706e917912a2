/**
 * A made-up training run for the tests of the views: events as a real run yields them, the same at every call. In: a
 * few knobs. Out: a list of events. Its losses come from a formula with a seeded wobble, not from a model.
 */
import { trainingDefaults } from "../../src/config.js";
import type { TrainEvent } from "../../src/train/events.js";

/** Knobs of the made-up run; evaluation every `evaluateEvery` steps, overfitting after `bestStep`. */
export interface SampleRun {
  readonly steps?: number;
  readonly evaluateEvery?: number;
  readonly bestStep?: number;
  readonly resumedFromStep?: number;
  readonly reason?: "completed" | "early-stopping" | "aborted";
  readonly modelName?: string;
}

/** The events of one run that starts, trains, is evaluated and ends. */
export function sampleRun(options: SampleRun = {}): TrainEvent[] {
  const { steps = 480, evaluateEvery = 60, bestStep = 360, reason = "completed", resumedFromStep = 0 } = options;
  const events: TrainEvent[] = [
    {
      type: "start",
      runId: "sample",
      modelName: options.modelName ?? "models/fledgling",
      datasetName: "sotu",
      engine: "tensorflow",
      engineReason: "TensorFlow 2.21 on CPU: no NVIDIA GPU found",
      parameters: 4_200_000,
      trainTokens: 1_960_000,
      validationTokens: 120_000,
      totalSteps: steps,
      stepsPerEpoch: 160,
      tokensPerStep: 4096,
      config: trainingDefaults,
      resumedFromStep,
    },
  ];
  let random = 42;
  const wobble = () => {
    random = (random * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return random / 4_294_967_296 - 0.5;
  };
  let bestLoss = Number.POSITIVE_INFINITY;
  let waits = 0;
  const evaluate = (step: number) => {
    const validationLoss = 3.62 + 1.38 * Math.exp(-step / 130) + 0.0009 * Math.max(0, step - bestStep);
    const isBest = validationLoss < bestLoss;
    waits = isBest ? 0 : waits + 1;
    bestLoss = Math.min(bestLoss, validationLoss);
    const shared = { step, epoch: step / 160 };
    events.push({
      type: "evaluation",
      ...shared,
      validationLoss,
      perplexity: Math.exp(validationLoss),
      bitsPerByte: validationLoss / 2.9,
      isBest,
      evaluationsWithoutImprovement: waits,
    });
    if (step > 0) events.push({ type: "checkpoint", step, folder: `runs/sample/step-${step}`, isBest });
  };
  if (resumedFromStep === 0) evaluate(0);
  for (let step = resumedFromStep + 1; step <= steps; step++) {
    const loss = 3.4 + 1.6 * Math.exp(-step / 120) - 0.0004 * step + 0.34 * wobble();
    events.push({
      type: "step",
      step,
      totalSteps: steps,
      epoch: step / 160,
      loss,
      gradientNorm: 0.8,
      learningRate: 5e-4 * (1 - step / steps),
      tokensPerSecond: 12_480,
      etaSeconds: (steps - step) * 0.33,
      memoryBytes: 1_310_000_000,
    });
    if (step % 50 === 0)
      events.push({ type: "log", step, epoch: step / 160, loss, learningRate: 5e-4 * (1 - step / steps) });
    if (step % evaluateEvery === 0) evaluate(step);
  }
  events.push({
    type: "finish",
    reason,
    step: steps,
    seconds: steps * 0.33,
    peakMemoryBytes: 1_420_000_000,
    baseValidationLoss: 5,
    bestValidationLoss: bestLoss,
    bestStep,
    ...(reason === "aborted" ? {} : { finalModelDir: "final_model" }),
  });
  return events;
}
