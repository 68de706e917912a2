/**
 * `check("4.2", value)`: says whether an answer to an exercise of the course is right, or gives a hint. In: the number of the
 * exercise and the answer. Out: a display with the verdict. It never tells the answer; worked solutions are in notebooks/solutions.
 */
import { nearest, problem } from "../message.js";
import { type Displayable, jupyterDisplay } from "../view/display.js";
import { escapeMarkup } from "../view/escape.js";
import type { Exercises } from "./exercise.js";
import { exercises as first } from "./exercises-01.js";
import { exercises as second } from "./exercises-02.js";
import { exercises as third } from "./exercises-03.js";
import { exercises as fourth } from "./exercises-04.js";
import { exercises as fifth } from "./exercises-05.js";
import { exercises as sixth } from "./exercises-06.js";

const exercises: Exercises = { ...first, ...second, ...third, ...fourth, ...fifth, ...sixth };

/** What `check` says. */
export interface Checked extends Displayable {
  readonly isRight: boolean;
  /** One sentence or two: what a right answer shows, or a hint. */
  readonly message: string;
}

/** Numbers of all exercises, in order. */
export const exerciseNumbers: readonly string[] = Object.keys(exercises);

/**
 * Judges an answer.
 *
 * @param number of the exercise, as the notebook gives it: `4.2`
 * @param value the answer
 * @throws RangeError for an exercise that does not exist
 * @example
 * check("1.1", Math.log(50_257)).isRight; // true
 */
export function check(number: string, value: unknown): Checked {
  const exercise = exercises[number];
  if (!exercise) {
    const near = nearest(number, exerciseNumbers);
    const expected = `one of ${exerciseNumbers.join(", ")}`;
    const fix = near ? `write check("${near}", …)` : "take the number from the heading of the exercise";
    throw new RangeError(problem({ cannot: `check exercise "${number}"`, found: "no such exercise", expected, fix }));
  }
  const verdict = exercise.judge(value);
  const isRight = "right" in verdict;
  const message = "right" in verdict ? verdict.right : verdict.hint;
  const [sign, word] = isRight ? ["✓", "Right."] : ["○", "Not yet."];
  return {
    isRight,
    message,
    [jupyterDisplay]: () => ({
      "text/html": `<p><b>${sign} ${number} ${word}</b> ${escapeMarkup(message)}</p>`,
      "text/plain": `${sign} ${number} ${word} ${message}`,
    }),
  };
}
