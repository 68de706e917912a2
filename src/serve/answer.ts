/**
 * What the model wrote, as OpenAI's objects. In: a parsed request and pieces of text. Out: one answer, or the chunks of a stream.
 * It sends nothing. Source of the forms: OpenAI's API reference.
 */
import type { Tokenizer } from "../data/tokenizer.js";
import type { GeneratedPiece, GeneratedToken } from "../generate/generate.js";
import type { ParsedRequest } from "./request.js";

/** What every object of one answer shares. */
export interface AnswerHead {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
}

/** Collects the pieces of one answer. */
export class Answer {
  private readonly texts: string[];
  private readonly lengths: number[];
  private readonly tokens: GeneratedToken[][];
  private readonly reasons: (string | null)[];

  constructor(
    private readonly head: AnswerHead,
    private readonly request: ParsedRequest,
    private readonly tokenizer: Tokenizer,
  ) {
    const rows = request.prompts.length * request.choices;
    this.texts = Array.from({ length: rows }, (_, row) => request.echo?.[Math.floor(row / request.choices)] ?? "");
    this.lengths = this.texts.map((text) => text.length);
    this.tokens = this.texts.map(() => []);
    this.reasons = this.texts.map(() => null);
  }

  /** Chunks that a stream begins with. */
  opening(): object[] {
    if (this.request.kind === "chat") {
      return this.texts.map((_, index) =>
        this.chunk([{ index, delta: { role: "assistant", content: "" }, finish_reason: null }]),
      );
    }
    return this.texts.flatMap((text, index) =>
      text === "" ? [] : [this.chunk([{ index, text, logprobs: null, finish_reason: null }])],
    );
  }

  /** Takes in a piece; returns its chunk for a stream, or undefined when it has nothing to show. */
  add({ row: index, text, tokens, finishReason }: GeneratedPiece): object | undefined {
    // "Assistant:" is followed by a space, which is not part of the answer.
    const shown = this.request.kind === "chat" && this.texts[index] === "" ? text.trimStart() : text;
    const offset = this.texts[index]?.length ?? 0;
    this.texts[index] += shown;
    this.tokens[index]?.push(...tokens);
    const reason = finishReason ?? null;
    this.reasons[index] = reason;
    const logprobs = this.request.kind === "chat" ? this.chatLogprobs(tokens) : this.logprobs(tokens, offset);
    if (shown === "" && reason === null && logprobs === null) return undefined;
    if (this.request.kind === "completion") {
      return this.chunk([{ index, text: shown, logprobs, finish_reason: reason }]);
    }
    return this.chunk([{ index, delta: shown === "" ? {} : { content: shown }, logprobs, finish_reason: reason }]);
  }

  /** The last chunk of a stream that was asked for usage. */
  usageChunk(): object {
    return { ...this.chunk([]), usage: this.usage() };
  }

  /** The whole answer. */
  whole(): object {
    const choices = this.texts.map((text, index) => {
      const finish_reason = this.reasons[index];
      if (this.request.kind === "chat") {
        const logprobs = this.chatLogprobs(this.tokens[index] ?? []);
        return { index, message: { role: "assistant", content: text, refusal: null }, logprobs, finish_reason };
      }
      return {
        index,
        text,
        logprobs: this.logprobs(this.tokens[index] ?? [], this.lengths[index] ?? 0),
        finish_reason,
      };
    });
    const object = this.request.kind === "chat" ? "chat.completion" : "text_completion";
    return { ...this.head, object, choices, usage: this.usage() };
  }

  private chunk(choices: object[]): object {
    const object = this.request.kind === "chat" ? "chat.completion.chunk" : "text_completion";
    return { ...this.head, object, choices };
  }

  private usage() {
    const prompt_tokens = this.request.prompts.reduce((sum, prompt) => sum + prompt.length, 0);
    const completion_tokens = this.tokens.reduce((sum, tokens) => sum + tokens.length, 0);
    return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
  }

  // A chat's form has the bytes of each token, since one may be part of a character.
  private chatLogprobs(tokens: readonly GeneratedToken[]): object | null {
    if (this.request.options.alternatives === undefined || tokens.length === 0) return null;
    const entry = ({ id, logProbability }: GeneratedToken) => ({
      token: this.tokenizer.decode([id]),
      logprob: logProbability,
      bytes: [...this.tokenizer.bytesOf(id)],
    });
    const content = tokens.map((token) => ({ ...entry(token), top_logprobs: (token.alternatives ?? []).map(entry) }));
    return { content, refusal: null };
  }

  private logprobs(tokens: readonly GeneratedToken[], begin: number): object | null {
    if (this.request.options.alternatives === undefined || tokens.length === 0) return null;
    const word = (id: number): string => this.tokenizer.decode([id]);
    let offset = begin;
    return {
      tokens: tokens.map(({ id }) => word(id)),
      token_logprobs: tokens.map(({ logProbability }) => logProbability),
      top_logprobs: tokens.map(({ alternatives = [] }) =>
        Object.fromEntries(alternatives.map(({ id, logProbability }) => [word(id), logProbability])),
      ),
      text_offset: tokens.map(({ id }) => {
        const at = offset;
        offset += word(id).length;
        return at;
      }),
    };
  }
}
