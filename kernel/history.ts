/**
 * What was executed, for history_request: the last cells, a range of them, or those that match a pattern. Kept in memory for
 * the life of the kernel process.
 */
import type { Json } from "./protocol.js";

interface Entry {
  readonly line: number;
  readonly input: string;
}

/** The cells executed by one kernel. */
export class History {
  readonly #entries: Entry[] = [];

  /** Notes a cell. @param line its execution count */
  add(line: number, input: string): void {
    this.#entries.push({ line, input });
  }

  /** Answers the content of a history_request. @returns `[session, line, input]` each, or `[…, [input, null]]` with output */
  answer(request: Json): unknown[] {
    const session = 0; // the running one; earlier ones are not kept
    const chosen = this.#choose(request);
    return chosen.map(({ line, input }) => [session, line, request.output === true ? [input, null] : input]);
  }

  #choose(request: Json): readonly Entry[] {
    const most = typeof request.n === "number" ? request.n : this.#entries.length;
    if (request.hist_access_type === "tail") return this.#entries.slice(-most);
    if (request.hist_access_type === "range") {
      const start = Number(request.start ?? 0);
      const stop = Number(request.stop ?? Number.POSITIVE_INFINITY);
      return this.#entries.filter(({ line }) => line >= start && line < stop);
    }
    const pattern = globPattern(String(request.pattern ?? "*"));
    const matching = this.#entries.filter(({ input }) => pattern.test(input));
    const unique =
      request.unique === true ? [...new Map(matching.map((entry) => [entry.input, entry])).values()] : matching;
    return unique.slice(-most);
  }
}

function globPattern(glob: string): RegExp {
  const body = glob
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", "[^]*")
    .replaceAll("?", "[^]");
  return new RegExp(`^${body}$`);
}
