/**
 * Tokens to text as they come. In: token ids one by one. Out: pieces of text that will not change any more: no half
 * character, and nothing that may turn out to begin a stop string. Together the pieces are the decoded text up to the first
 * stop string. It chooses no tokens.
 */
import type { Tokenizer } from "../data/tokenizer.js";

/** What one token added. */
export interface AddedText {
  /** Text that is certain now; often empty. */
  readonly text: string;
  /** A stop string was found; the text before it is out, nothing follows. */
  readonly stopped: boolean;
}

/** Puts the text of one row together. */
export class TextAssembler {
  private pending: number[] = [];
  private held = "";

  /**
   * @param tokenizer decodes the ids
   * @param stops strings that end the text, none empty; they are not part of it
   */
  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly stops: readonly string[] = [],
  ) {}

  /** Takes in a token. */
  push(token: number): AddedText {
    this.pending.push(token);
    const text = this.tokenizer.decode(this.pending);
    // A character of several tokens shows as U+FFFD until its last byte is there.
    if (text.endsWith("\uFFFD") && this.pending.length < 64) return { text: "", stopped: false };
    this.pending = [];
    return this.release(text, false);
  }

  /** Gives what was held back; call it once, when no token follows. */
  finish(): AddedText {
    const rest = this.pending;
    this.pending = [];
    return this.release(this.tokenizer.decode(rest), true);
  }

  private release(added: string, last: boolean): AddedText {
    const text = this.held + added;
    const found = this.stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
    if (found.length > 0) {
      this.held = "";
      return { text: text.slice(0, Math.min(...found)), stopped: true };
    }
    const kept = last ? 0 : Math.max(0, ...this.stops.map((stop) => overlap(text, stop)));
    this.held = text.slice(text.length - kept);
    return { text: text.slice(0, text.length - kept), stopped: false };
  }
}

// Length of the longest end of the text that begins the stop string.
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length;
  }
  return 0;
}
