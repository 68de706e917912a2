/**
 * What an exercise of the course is, and how answers are judged. In: a learner's value. Out: right, or a hint that fits the
 * kind of mistake and never the answer. The exercises themselves are in exercises-01.ts … one file a notebook.
 */

/** What is said of an answer: `right` with a sentence on why it matters, or a hint. */
export type Verdict = { readonly right: string } | { readonly hint: string };

/** One exercise; its key is its number in the course, such as `4.2`. */
export interface Exercise {
  /** What is asked, as the notebook says it. */
  readonly task: string;
  judge(value: unknown): Verdict;
}

/** Exercises by number. */
export type Exercises = Readonly<Record<string, Exercise>>;

/** A kind of mistake: when it is made, and what helps. */
export interface Mistake<Value> {
  readonly when: (value: Value) => boolean;
  readonly hint: string;
}

/** What a right answer is. */
export interface Expectation<Value> {
  readonly task: string;
  readonly isRight: (value: Value) => boolean;
  /** Said to a right answer: what it shows. */
  readonly right: string;
  /** The first that applies is said; the more telling ones first. */
  readonly mistakes: readonly Mistake<Value>[];
  /** Said when no mistake applies. */
  readonly otherwise: string;
}

/** An exercise that is answered by a number. */
export function numberExercise(expectation: Expectation<number>): Exercise {
  return exercise(expectation, (value) => typeof value === "number" && Number.isFinite(value), "a number");
}

/** An exercise that is answered by a text. */
export function textExercise(expectation: Expectation<string>): Exercise {
  return exercise(expectation, (value) => typeof value === "string" && value.trim() !== "", "a text");
}

/** An exercise that is answered by an array. */
export function listExercise(expectation: Expectation<readonly unknown[]>): Exercise {
  return exercise(expectation, Array.isArray, "an array");
}

/** An exercise that is answered by an object, such as a configuration. */
export function objectExercise(expectation: Expectation<Readonly<Record<string, unknown>>>): Exercise {
  const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
  return exercise(expectation, isObject, "an object");
}

/** Whether two numbers are equal but for rounding: within a share of the second. */
export function isNear(value: number, expected: number, share = 0.01): boolean {
  return Math.abs(value - expected) <= Math.abs(expected) * share;
}

function exercise<Value>(
  { task, isRight, right, mistakes, otherwise }: Expectation<Value>,
  isOfType: (value: unknown) => boolean,
  type: string,
): Exercise {
  return {
    task,
    judge(value) {
      if (value === undefined)
        return { hint: "There is no value yet: put your answer where the cell says `undefined`." };
      if (value instanceof Promise) return { hint: "This is a promise: write `await` before it." };
      if (!isOfType(value)) return { hint: `The answer is ${type}; this is ${nameOf(value)}.` };
      const given = value as Value;
      if (isRight(given)) return { right };
      return { hint: mistakes.find(({ when }) => when(given))?.hint ?? otherwise };
    },
  };
}

function nameOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "number") return Number.isNaN(value) ? "NaN" : `the number ${value}`;
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
