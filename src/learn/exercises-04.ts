/** The exercises of notebook 4. */
import { type Exercises, numberExercise, objectExercise } from "./exercise.js";

export const exercises: Exercises = {
  "4.1": numberExercise({
    task: "How many epochs must a run with patience 2 and one evaluation an epoch have, so that stopping can save one?",
    isRight: (epochs) => epochs === 4,
    right: "With fewer, the knob is there and does nothing. Evaluate more often, or give more epochs.",
    mistakes: [
      { when: (epochs) => epochs === 2, hint: "The first evaluation is always the best so far; it cannot fail." },
      { when: (epochs) => epochs === 3, hint: "It can stop after that many. Is there then anything left to save?" },
      { when: (epochs) => !Number.isInteger(epochs), hint: "Epochs are counted whole here." },
    ],
    otherwise: "After how many evaluations can two in a row have failed? One more epoch must be left.",
  }),
  "4.2": numberExercise({
    task: "Which evaluation of [4.85, 4.10, 3.90, 3.95, 3.97, 3.80] has the weights that are saved, with patience 2?",
    isRight: (place) => place === 2,
    right:
      "The run ends two evaluations later, and goes back to those weights. It never sees the lower loss after that.",
    mistakes: [
      { when: (place) => place === 4, hint: "There the run stops. Which weights does it save?" },
      { when: (place) => place === 5, hint: "That is the lowest of all, but the run was stopped before it." },
      { when: (place) => place === 3, hint: "Places are counted from 0, and this loss is not the lowest so far." },
      { when: (place) => !Number.isInteger(place), hint: "Give the place in the list, not the loss." },
    ],
    otherwise: "Walk along the list: two in a row without improvement end it. Then take the lowest loss until there.",
  }),
  "4.3": numberExercise({
    task: "How many bytes does a checkpoint of a million weights hold, with what the optimiser remembers?",
    isRight: (bytes) => bytes === 12e6,
    right: "A checkpoint is three times as large as the finished model, which needs no optimiser any more.",
    mistakes: [
      { when: (bytes) => bytes === 4e6, hint: "Those are the weights alone." },
      { when: (bytes) => bytes === 8e6, hint: "The optimiser remembers two numbers of each weight." },
      { when: (bytes) => bytes === 16e6, hint: "The gradient is not kept: each step makes its own." },
      { when: (bytes) => bytes === 3e6, hint: "So many numbers. How many bytes has each?" },
    ],
    otherwise: "Count the numbers that are kept of each weight, then their bytes.",
  }),
  "4.4": objectExercise({
    task: "Which knobs make a run go on from its newest checkpoint?",
    isRight: (knobs) => knobs.resume === true && Object.keys(knobs).length === 1,
    right: "All else stays as it was, or it would be another run.",
    mistakes: [
      { when: (knobs) => knobs.resume === true, hint: "One knob is enough; the others stay as they were." },
      {
        when: (knobs) => "resume" in knobs,
        hint: "The name is right. The value is a truth value, not a text or a number.",
      },
      { when: (knobs) => Object.keys(knobs).length === 0, hint: "Without a knob the run starts from the beginning." },
    ],
    otherwise: "Look at how the interrupted run of this notebook went on.",
  }),
};
