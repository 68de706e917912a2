/** The exercises of notebook 1. */
import { type Exercises, isNear, listExercise, numberExercise } from "./exercise.js";

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
  "1.2": listExercise({
    task: "Which shape has the product of tensors of the shapes [4, 3] and [3, 5]?",
    isRight: (shape) => shape.length === 2 && shape[0] === 4 && shape[1] === 5,
    right: "The rows of the first and the columns of the second; the size that both share is added up and gone.",
    mistakes: [
      { when: (shape) => shape[0] === 5 && shape[1] === 4, hint: "The sizes are right. Rows come first." },
      { when: (shape) => shape.length !== 2, hint: "The product of two tables is a table: two numbers." },
      { when: (shape) => shape.includes(3), hint: "The size that both share is summed over: it is gone." },
    ],
    otherwise: "Each number of the product is a row of the first times a column of the second.",
  }),
  "1.3": numberExercise({
    task: "Between how many tokens does a model of loss 3 nats hesitate?",
    isRight: (tokens) => isNear(tokens, Math.exp(3), 0.03),
    right: "A perplexity is easier to picture than a loss; both say the same.",
    mistakes: [
      { when: (tokens) => isNear(tokens, 8), hint: "That would be the answer for 3 bits. Nats belong to *e*." },
      { when: (tokens) => isNear(tokens, 1000), hint: "Nats belong to *e*, not to 10." },
      { when: (tokens) => isNear(tokens, Math.log(3)), hint: "The other way round: the loss is the logarithm." },
      { when: (tokens) => isNear(tokens, Math.exp(-3)), hint: "That is the probability of the token that came." },
    ],
    otherwise: "Perplexity is *e* to the power of the loss: `Math.exp`.",
  }),
  "1.4": numberExercise({
    task: "A weight is 5, its gradient 2, the learning rate 0.1. What is the weight after the step?",
    isRight: (weight) => isNear(weight, 4.8, 1e-6),
    right: "Against the gradient, and only a little: this is all that training ever does.",
    mistakes: [
      { when: (weight) => isNear(weight, 5.2, 1e-6), hint: "That step goes uphill: the loss would rise." },
      { when: (weight) => isNear(weight, 3, 1e-6), hint: "That is the whole gradient. How far does a step go?" },
      { when: (weight) => isNear(weight, 0.2, 1e-6), hint: "That is how far it moves. Where is it then?" },
    ],
    otherwise: "Subtract the learning rate times the gradient.",
  }),
};
