/**
 * How much of a text is copied from the training text. In: what a model wrote, and the texts it was trained on. Out: the longest
 * run of characters that stands in both, and where. A suffix automaton of the short text (Blumer et al. 1985) reads the long one
 * once: time grows with the sum of both, memory with the short one. It generates nothing.
 */

/** The longest verbatim overlap. */
export interface VerbatimOverlap {
  /** The run itself; empty when the texts share no character. */
  readonly text: string;
  /** Its length in UTF-16 code units. */
  readonly length: number;
  /** Its share of the text that was looked at, 0 … 1. */
  readonly share: number;
  /** Where it begins in that text. */
  readonly start: number;
  /** Which training text has it, from 0, and where; -1 for none. */
  readonly document: number;
  readonly documentStart: number;
}

/**
 * Finds the longest run that a text shares with the training texts.
 *
 * @param text what a model wrote, without the prompt
 * @param training the texts that it learned from; read one after the other
 * @returns the longest overlap, the first of equals
 * @example
 * longestOverlap("of the people, by", ["government of the people"]).text; // "of the people"
 */
export function longestOverlap(text: string, training: Iterable<string>): VerbatimOverlap {
  const automaton = new SuffixAutomaton(text);
  let best = { length: 0, end: 0, document: -1, documentEnd: 0 };
  let document = 0;
  for (const known of training) {
    let state = 0;
    let length = 0;
    for (let i = 0; i < known.length; i++) {
      const symbol = automaton.symbol(known.charCodeAt(i));
      while (state > 0 && automaton.next(state, symbol) < 0) {
        state = automaton.link(state);
        length = automaton.longest(state);
      }
      const next = automaton.next(state, symbol);
      if (next < 0) {
        length = 0;
        continue;
      }
      state = next;
      length++;
      if (length > best.length) best = { length, end: automaton.end(state), document, documentEnd: i + 1 };
    }
    document++;
  }
  const start = best.end - best.length;
  return {
    text: text.slice(start, best.end),
    length: best.length,
    share: text.length === 0 ? 0 : best.length / text.length,
    start,
    document: best.document,
    documentStart: best.document < 0 ? -1 : best.documentEnd - best.length,
  };
}

// State 0 is the empty text. Transitions lie in one table, a row a state and a column a symbol: following one is one read.
class SuffixAutomaton {
  private readonly symbols = new Int32Array(65_536).fill(-1);
  private readonly width: number;
  private readonly transitions: Int32Array;
  private readonly links: Int32Array;
  private readonly lengths: Int32Array;
  private readonly ends: Int32Array;
  private count = 1;

  constructor(text: string) {
    let width = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (this.symbols[code] === -1) this.symbols[code] = width++;
    }
    const states = Math.max(2, 2 * text.length);
    this.width = width;
    this.transitions = new Int32Array(states * width).fill(-1);
    this.links = new Int32Array(states).fill(-1);
    this.lengths = new Int32Array(states);
    this.ends = new Int32Array(states);
    let last = 0;
    for (let i = 0; i < text.length; i++) last = this.extend(last, this.symbol(text.charCodeAt(i)), i + 1);
  }

  symbol(code: number): number {
    return this.symbols[code] as number;
  }
  next(state: number, symbol: number): number {
    return symbol < 0 ? -1 : (this.transitions[state * this.width + symbol] as number);
  }
  link(state: number): number {
    return this.links[state] as number;
  }
  longest(state: number): number {
    return this.lengths[state] as number;
  }
  /** Where the first occurrence of a state's runs ends. */
  end(state: number): number {
    return this.ends[state] as number;
  }

  private extend(last: number, symbol: number, end: number): number {
    const { transitions, links, lengths, ends, width } = this;
    const added = this.count++;
    lengths[added] = end;
    ends[added] = end;
    let state = last;
    while (state >= 0 && this.next(state, symbol) < 0) {
      transitions[state * width + symbol] = added;
      state = this.link(state);
    }
    if (state < 0) {
      links[added] = 0;
      return added;
    }
    const target = this.next(state, symbol);
    if (this.longest(target) === this.longest(state) + 1) {
      links[added] = target;
      return added;
    }
    const clone = this.count++;
    transitions.copyWithin(clone * width, target * width, (target + 1) * width);
    links[clone] = this.link(target);
    lengths[clone] = this.longest(state) + 1;
    ends[clone] = this.end(target);
    links[target] = clone;
    links[added] = clone;
    while (state >= 0 && this.next(state, symbol) === target) {
      transitions[state * width + symbol] = clone;
      state = this.link(state);
    }
    return added;
  }
}
