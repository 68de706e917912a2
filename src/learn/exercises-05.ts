/** The exercises of notebook 5. */
import { type Exercises, isNear, numberExercise, textExercise } from "./exercise.js";

const bits = 3.2 / Math.LN2;

export const exercises: Exercises = {
  "5.1": numberExercise({
    task: "What is the perplexity of a loss of 3.2 nats a token?",
    isRight: (perplexity) => isNear(perplexity, Math.exp(3.2)),
    right: "Between so many equally likely tokens a guess would be as hard.",
    mistakes: [
      {
        when: (perplexity) => isNear(perplexity, 2 ** 3.2),
        hint: "Nats belong to the natural logarithm, not to base 2.",
      },
      {
        when: (perplexity) => isNear(perplexity, Math.log(3.2)),
        hint: "It is the other way round: undo the logarithm.",
      },
      { when: (perplexity) => perplexity === 3.2, hint: "That is the loss itself." },
    ],
    otherwise: "It is e to the power of the loss.",
  }),
  "5.2": numberExercise({
    task: "How many bits per byte is a loss of 3.2 on 1,000 tokens of 4,400 bytes?",
    isRight: (value) => isNear(value, (bits * 1000) / 4400),
    right: "This number can be put beside that of a model with other tokens, or of a packer.",
    mistakes: [
      { when: (value) => isNear(value, bits), hint: "Those are bits a token. How many tokens are there to a byte?" },
      { when: (value) => isNear(value, 3200 / 4400), hint: "Those are nats per byte. Make bits of them." },
      { when: (value) => isNear(value, (bits * 4400) / 1000), hint: "Tokens and bytes are turned round." },
    ],
    otherwise: "Two steps: nats to bits with the logarithm of two, then from all tokens to all bytes.",
  }),
  "5.3": textExercise({
    task: "By which part is a model judged whose learning rate was chosen by the validation loss?",
    isRight: (part) => part.trim().toLowerCase() === "test",
    right: "It has chosen nothing, so it flatters nobody. Measure it once, at the end.",
    mistakes: [
      { when: (part) => /^val/i.test(part.trim()), hint: "That part has chosen the rate: its number is too good." },
      { when: (part) => /^train/i.test(part.trim()), hint: "The model has learned that part." },
    ],
    otherwise: "Give the name of one of the three parts.",
  }),
  "5.4": numberExercise({
    task: "What share of the added text is a run of 30 characters, in 150 characters of which 30 are the prompt?",
    isRight: (share) => isNear(share, 30 / 120),
    right: "The prompt does not count: we wrote it.",
    mistakes: [
      { when: (share) => isNear(share, 30 / 150), hint: "The prompt was not written by the model. Leave it out." },
      { when: (share) => share > 1, hint: "A share lies between 0 and 1." },
      { when: (share) => isNear(share, 90 / 120), hint: "That is the other part, which was not found." },
    ],
    otherwise: "Divide the length of the overlap by the length of what the model added.",
  }),
};
