/** The exercises of notebook 3. */
import { type Exercises, isNear, numberExercise, objectExercise, textExercise } from "./exercise.js";

const blocksAStep = ({ batchSize, gradientAccumulation }: Readonly<Record<string, unknown>>) =>
  Number(batchSize) * Number(gradientAccumulation);

export const exercises: Exercises = {
  "3.1": numberExercise({
    task: "How many tokens does a step learn from with batchSize 8, gradientAccumulation 4 and blockSize 256?",
    isRight: (tokens) => tokens === 8 * 4 * 256,
    right: "This product, not the batch size alone, is what a learning rate has to suit.",
    mistakes: [
      { when: (tokens) => tokens === 8 * 256, hint: "That is one micro-batch. A step adds up several." },
      { when: (tokens) => tokens === 8 * 4, hint: "Those are blocks. How many tokens has each?" },
      { when: (tokens) => tokens === (8 + 4) * 256, hint: "A step computes the batch again and again: multiply." },
    ],
    otherwise: "Blocks at a time, times how often before the weights change, times tokens a block.",
  }),
  "3.2": objectExercise({
    task: "batchSize 8 with gradientAccumulation 1 does not fit into memory. Which two values learn the same in a quarter?",
    isRight: (knobs) => blocksAStep(knobs) === 8 && knobs.batchSize === 2,
    right: "The same blocks a step in the same order: the experiment is the same one, only slower.",
    mistakes: [
      {
        when: (knobs) => !("batchSize" in knobs) || !("gradientAccumulation" in knobs),
        hint: "Give both: `{ batchSize: …, gradientAccumulation: … }`.",
      },
      {
        when: (knobs) => blocksAStep(knobs) !== 8,
        hint: "A step would learn from another number of blocks than 8: that is another experiment.",
      },
      {
        when: ({ batchSize }) => Number(batchSize) > 2,
        hint: "Memory goes with `batchSize`; it is not a quarter yet.",
      },
    ],
    otherwise: "A quarter is asked for, not less: smaller batches waste time.",
  }),
  "3.3": numberExercise({
    task: "What is the rate after 60 of 100 steps: linear, highest rate 1e-3, 20 steps of warm-up?",
    isRight: (rate) => isNear(rate, 1e-3 * (1 - 40 / 80)),
    right: "Half of the way after the warm-up is over, and with it half of the rate.",
    mistakes: [
      { when: (rate) => isNear(rate, 4e-4), hint: "The fall begins at the end of the warm-up, not at step 0." },
      { when: (rate) => isNear(rate, 1e-3), hint: "That is the highest rate, which lasts for one step only." },
      { when: (rate) => isNear(rate, 6e-4), hint: "That share of the steps is over. How much of the fall is left?" },
    ],
    otherwise: "After the warm-up 80 steps are left to fall to 0. How many of them are over?",
  }),
  "3.4": textExercise({
    task: "Validation loss rises from epoch 2 on. Which knob, set higher, makes it worse: earlyStoppingPatience or weightDecay?",
    isRight: (knob) => knob.trim() === "earlyStoppingPatience",
    right: "More patience is more epochs of learning by heart. Patience bears bad luck; it cures nothing.",
    mistakes: [
      { when: (knob) => /decay/i.test(knob), hint: "That one pulls weights towards 0, against learning by heart." },
      { when: (knob) => /patience/i.test(knob), hint: "Right in spirit: give the knob's exact name." },
    ],
    otherwise: "Give the name of one of the two knobs.",
  }),
};
