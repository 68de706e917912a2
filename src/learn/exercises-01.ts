/** The exercises of notebook 1. */
import { type Exercises, isNear, numberExercise } from "./exercise.js";

export const exercises: Exercises = {
  "1.1": numberExercise({
    task: "What is the loss of a model that guesses among 50,257 tokens?",
    isRight: (loss) => isNear(loss, Math.log(50_257)),
    right: "A loss near this one means that a model knows nothing yet. It is the first number to look at in any run.",
    mistakes: [
      { when: (loss) => isNear(loss, -Math.log(50_257)), hint: "The size is right. A loss is minus the logarithm." },
      {
        when: (loss) => isNear(loss, Math.log2(50_257)),
        hint: "That is in bits. Nats use the natural logarithm, `Math.log`.",
      },
      {
        when: (loss) => isNear(loss, Math.log10(50_257)),
        hint: "That is the logarithm to base 10; nats use `Math.log`.",
      },
      { when: (loss) => isNear(loss, 1 / 50_257), hint: "That is the probability of each token. What is its loss?" },
    ],
    otherwise: "Every token gets the same probability, one in 50,257. The loss is minus its natural logarithm.",
  }),
};
