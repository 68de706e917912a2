/** The exercises of notebook 6. */
import { type Exercises, listExercise, numberExercise } from "./exercise.js";

export const exercises: Exercises = {
  "6.1": numberExercise({
    task: "Which gradientAccumulation keeps a step of 8 × 2 blocks the same when a batch is half as large?",
    isRight: (portions) => portions === 4,
    right: "The step has the same blocks, so it is the same experiment in less memory.",
    mistakes: [
      { when: (portions) => portions === 2, hint: "Then a step has fewer blocks. Keep the product of both." },
      { when: (portions) => portions === 8, hint: "Then a step has twice as many blocks." },
      { when: (portions) => portions === 1, hint: "Smaller portions need more of them, not fewer." },
    ],
    otherwise: "The product of both knobs is the number of blocks a step, and it should not change.",
  }),
  "6.2": numberExercise({
    task: "How many weights do adapters of rank 8 train beside a matrix of 512 × 1,024?",
    isRight: (weights) => weights === 8 * (512 + 1024),
    right: "They are about a fortieth of the matrix, and so is what the optimiser must remember.",
    mistakes: [
      {
        when: (weights) => weights === 8 * 512 || weights === 8 * 1024,
        hint: "There are two thin matrices; count both.",
      },
      { when: (weights) => weights === 512 * 1024, hint: "That is the whole matrix, which stays as it is." },
      { when: (weights) => weights === 8 * 512 * 1024, hint: "The two thin matrices lie side by side: add them." },
    ],
    otherwise: "One thin matrix leads from the inputs to the rank, the other from the rank to the outputs.",
  }),
  "6.3": listExercise({
    task: "Which of the runs B, C, D differ from A in the learning rate and in nothing else?",
    isRight: (runs) => runs.length === 1 && runs[0] === "B",
    right: "Only such a pair can say what the learning rate did.",
    mistakes: [
      { when: (runs) => runs.length === 0, hint: "There is one." },
      { when: (runs) => runs.includes("C"), hint: "In one of your runs two knobs differ from A." },
      { when: (runs) => runs.includes("D"), hint: "In one of your runs it is the block size that differs." },
    ],
    otherwise: "Give the names of the runs as texts, in a list. Compare each with A, knob by knob.",
  }),
  "6.4": numberExercise({
    task: "How many bytes do weights, gradients and optimiser of 100 million weights need in full training?",
    isRight: (bytes) => bytes === 16e8,
    right: "What is computed in between comes on top, and grows with batchSize and blockSize.",
    mistakes: [
      { when: (bytes) => bytes === 4e8, hint: "Those are the weights alone." },
      { when: (bytes) => bytes === 12e8, hint: "While it trains, there is the gradient, too." },
      { when: (bytes) => bytes === 16, hint: "So much for one. How many weights are there?" },
    ],
    otherwise: "It is four numbers for each weight; how many bytes has a number?",
  }),
};
