/**
 * What a command of `fledge` is. Types only; each command is a file in commands/, the list of them is in fledge.ts.
 */

/** One command: its help, and its work. */
export interface Command {
  /** What `fledge <command> --help` prints: usage, every option with its default, an example. */
  readonly help: string;
  /**
   * Does the work.
   *
   * @param words the command line after the name of the command
   * @returns the exit code: 0 well, 1 something is wrong
   * @throws RangeError for wrong usage (exit code 2); any other error ends with exit code 1
   */
  run(words: readonly string[]): Promise<number>;
}

/** A command in the list: its line in `fledge help`, and how its file is loaded when it is needed. */
export interface CommandEntry {
  readonly summary: string;
  load(): Promise<Command>;
}
