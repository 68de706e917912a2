/** The exercises of notebook 2. */
import { type Exercises, isNear, listExercise, numberExercise, objectExercise, textExercise } from "./exercise.js";

const isList = (value: readonly unknown[], expected: readonly number[]) =>
  value.length === expected.length && value.every((item, i) => item === expected[i]);

export const exercises: Exercises = {
  "2.1": numberExercise({
    task: "How many tokens of documents of 300, 900 and 2,000 are lost when each, with its end of text, is cut off at 512?",
    isRight: (lost) => lost === 901 - 512 + (2001 - 512),
    right: "More than half of the text would never be seen, and both long documents would lose their ends.",
    mistakes: [
      { when: (lost) => lost === 900 - 512 + (2000 - 512), hint: "Count the end of text of each document, too." },
      { when: (lost) => lost === 301 + 512 + 512, hint: "That many are kept. How many are lost?" },
      { when: (lost) => lost === 3203 - 512, hint: "Every document is cut by itself, not their sum." },
      { when: (lost) => lost < 0 || lost > 3203, hint: "All three together have 3,203 tokens; lost are fewer." },
    ],
    otherwise: "Of each document, what stands after token 512 is lost. A document that is shorter loses nothing.",
  }),
  "2.2": numberExercise({
    task: "How many blocks of 512 do the same documents give when they are packed?",
    isRight: (blocks) => blocks === Math.floor((3203 - 1) / 512),
    right: "Nearly the whole text is learned, and only what is left after the last full block is dropped.",
    mistakes: [
      { when: (blocks) => !Number.isInteger(blocks), hint: "Only full blocks count: round down." },
      { when: (blocks) => blocks === Math.ceil(3202 / 512), hint: "The last one would not be full." },
      { when: (blocks) => blocks === 0 + 1 + 3, hint: "Packing joins the documents first, then cuts the whole row." },
    ],
    otherwise: "Join the three, with an end of text each, leave one token for the last target, and divide by 512.",
  }),
  "2.3": listExercise({
    task: "Which are the targets of the row [11, 42, 7, 7, 0], whose first four tokens are the inputs?",
    isRight: (targets) => isList(targets, [42, 7, 7, 0]),
    right: "Each target is the token that really comes next; the last token of a block is only ever a target.",
    mistakes: [
      { when: (targets) => isList(targets, [11, 42, 7, 7]), hint: "Those are the inputs." },
      { when: (targets) => targets.length === 5, hint: "There are as many targets as inputs: four." },
      { when: (targets) => targets[0] === 0, hint: "The order stays: the targets are moved, not turned round." },
    ],
    otherwise: "At every place the target is the token one place on.",
  }),
  "2.4": textExercise({
    task: "On which part may you choose the best of five learning rates?",
    isRight: (part) => /^validation( set| part)?$/i.test(part.trim()),
    right: "Test stays sealed until every choice is made, so that its number is still an honest one.",
    mistakes: [
      {
        when: (part) => /test/i.test(part),
        hint: "Whatever is used to choose gives too good a number afterwards. What would then be left to judge with?",
      },
      {
        when: (part) => /train/i.test(part),
        hint: "There, a rate would win that learns the text by heart.",
      },
    ],
    otherwise: "Give the name of one of the three parts.",
  }),
  "2.5": objectExercise({
    task: "Which options of splitDataset hold back a fifth, half to watch and half to judge, the same way every time?",
    isRight: ({ validationFraction, testFraction, seed }) =>
      isNear(Number(validationFraction), 0.1) && isNear(Number(testFraction), 0.1) && Number.isInteger(seed),
    right: "Whoever runs this again judges by the very same documents.",
    mistakes: [
      {
        when: (options) => !("validationFraction" in options) || !("testFraction" in options),
        hint: "Two knobs are needed: `validationFraction` and `testFraction`.",
      },
      {
        when: ({ validationFraction, testFraction }) =>
          isNear(Number(validationFraction), 0.2) && isNear(Number(testFraction), 0.2),
        hint: "That holds back two fifths. The fifth is for both together.",
      },
      { when: ({ seed }) => seed === undefined, hint: "Without a `seed` tomorrow's parts would be others." },
      { when: ({ seed }) => !Number.isInteger(seed), hint: "A `seed` is a whole number; any one does." },
    ],
    otherwise: "A fifth is 0.2, and each purpose gets half of it.",
  }),
};
