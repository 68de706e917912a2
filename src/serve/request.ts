/**
 * A request's JSON made into what the model is asked. In: the parsed body of /v1/completions or /v1/chat/completions. Out: prompts
 * and options, or an ApiError that names the field. A field that would change the answer and is not followed is refused, not
 * ignored. It generates nothing. Source of the fields: OpenAI's API reference.
 */
import type { GenerateOptions } from "../generate/options.js";
import type { TextModel } from "../generate/text-model.js";
import { type ApiError, invalid } from "./api-error.js";
import { ChatMessage, transcript, transcriptStops } from "./transcript.js";

/** What the model is asked, for either address. */
export interface ParsedRequest {
  readonly kind: "completion" | "chat";
  /** Token ids of each prompt, none empty. */
  readonly prompts: readonly (readonly number[])[];
  /** Answers to each prompt. */
  readonly choices: number;
  readonly options: GenerateOptions;
  /** Undefined: the server draws one. */
  readonly seed: number | undefined;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** Texts to repeat before each answer; one a prompt. */
  readonly echo: readonly string[] | undefined;
}

/** What one request may ask for. */
export interface RequestLimits {
  /** Prompts times answers. */
  readonly rows: number;
}

type Body = Readonly<Record<string, unknown>>;

// Fields of both addresses that are followed.
const FOLLOWED = [
  ...["model", "max_tokens", "temperature", "top_p", "n", "stream", "stream_options", "stop", "seed"],
  ...["presence_penalty", "frequency_penalty"],
];
// Our own, named as in transformers.
const EXTENSIONS = ["top_k", "min_p", "repetition_penalty", "no_repeat_ngram_size"];
// Fields that do not change the answer.
const HARMLESS = ["user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"];
// Fields that are accepted only at the value that changes nothing.
const NEUTRAL: Readonly<Record<string, readonly unknown[]>> = {
  suffix: [""],
  best_of: [1],
  logit_bias: [],
  tools: [],
  tool_choice: ["none"],
  response_format: [],
};

/**
 * Reads the body of /v1/completions.
 *
 * @throws ApiError with status 400, or 404 for another model
 */
export function parseCompletion(
  body: unknown,
  model: TextModel,
  modelId: string,
  limits: RequestLimits,
): ParsedRequest {
  const fields = checkFields(body, modelId, ["prompt", "logprobs", "echo"]);
  const texts = promptsOf(fields.prompt);
  const prompts = texts.map((prompt) => encode(prompt, model));
  const logprobs = integer(fields, "logprobs", 0, 5);
  const echo = flag(fields, "echo");
  if (echo && logprobs !== undefined) throw invalid("echo", "echo together with logprobs is not supported.");
  const options = { ...sampling(fields, 16), ...(logprobs !== undefined && { alternatives: logprobs }) };
  const decoded = echo ? prompts.map((ids) => model.tokenizer.decode(ids)) : undefined;
  return finish(fields, { kind: "completion", prompts, options, echo: decoded }, model, limits);
}

/**
 * Reads the body of /v1/chat/completions.
 *
 * @throws ApiError as {@link parseCompletion}
 */
export function parseChat(body: unknown, model: TextModel, modelId: string, limits: RequestLimits): ParsedRequest {
  const fields = checkFields(body, modelId, ["messages", "max_completion_tokens", "logprobs", "top_logprobs"]);
  const logprobs = flag(fields, "logprobs");
  const top = integer(fields, "top_logprobs", 0, 20);
  if (top !== undefined && !logprobs) throw invalid("top_logprobs", "top_logprobs needs logprobs: true.");
  const prompt = encode(transcript(messagesOf(fields.messages)), model);
  const room = Math.max(1, model.config.positions - prompt.length);
  const asked = integer(fields, "max_completion_tokens", 1, Number.MAX_SAFE_INTEGER);
  const options = sampling(asked === undefined ? fields : { ...fields, max_tokens: asked }, Math.min(256, room));
  const stop = [...(options.stop ?? []), ...transcriptStops];
  return finish(
    fields,
    {
      kind: "chat",
      prompts: [prompt],
      options: { ...options, stop, ...(logprobs && { alternatives: top ?? 0 }) },
      echo: undefined,
    },
    model,
    limits,
  );
}

function checkFields(body: unknown, modelId: string, own: readonly string[]): Body {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw invalid(
      "body",
      `The body is ${body === null ? "null" : Array.isArray(body) ? "a list" : `a ${typeof body}`}, expected a JSON object.`,
    );
  }
  const known = new Set([...FOLLOWED, ...EXTENSIONS, ...HARMLESS, ...own]);
  for (const [name, value] of Object.entries(body)) {
    if (known.has(name)) continue;
    const neutral = Object.hasOwn(NEUTRAL, name) ? NEUTRAL[name] : undefined;
    if (!neutral) throw invalid(name, `Unrecognized request argument supplied: ${name}.`);
    const empty = typeof value === "object" && Object.keys(value ?? {}).length === 0;
    if (!empty && !neutral.includes(value)) throw invalid(name, `${name} is not supported: leave it out.`);
  }
  const fields = body as Body;
  if (fields.model !== undefined && fields.model !== modelId) {
    const found = typeof fields.model === "string" ? fields.model : typeof fields.model;
    const error = invalid(
      "model",
      `The model "${found.slice(0, 100)}" does not exist, expected "${modelId}".`,
      "model_not_found",
    );
    throw Object.assign(error, { status: 404 }) as ApiError;
  }
  return fields;
}

function promptsOf(prompt: unknown): (string | number[])[] {
  const isIds = (value: unknown): value is number[] =>
    Array.isArray(value) && value.length > 0 && value.every((id) => typeof id === "number");
  if (typeof prompt === "string") return [prompt];
  if (isIds(prompt)) return [prompt];
  if (Array.isArray(prompt) && prompt.length > 0 && prompt.every((item) => typeof item === "string" || isIds(item))) {
    return prompt;
  }
  throw invalid("prompt", "prompt must be a string, a list of strings, a list of token ids or a list of such lists.");
}

function encode(prompt: string | number[], model: TextModel): number[] {
  const { vocabularySize, endOfTextId } = model.config;
  if (typeof prompt !== "string") {
    const wrong = prompt.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabularySize);
    if (wrong !== undefined)
      throw invalid("prompt", `Token id ${wrong} is not an integer from 0 to ${vocabularySize - 1}.`);
    return prompt;
  }
  const ids = [...model.tokenizer.encode(prompt)];
  return ids.length > 0 ? ids : [endOfTextId];
}

function messagesOf(messages: unknown): ChatMessage[] {
  if (!Array.isArray(messages) || messages.length === 0)
    throw invalid("messages", "messages must be a list of at least one message.");
  return messages.map((message: unknown, i) => {
    const { role, content } = (message ?? {}) as Body;
    if (!ChatMessage.isRole(role)) {
      throw invalid(`messages[${i}].role`, `role must be one of ${ChatMessage.roles.join(", ")}.`);
    }
    return { role, content: textOf(content, i) };
  });
}

function textOf(content: unknown, i: number): string {
  if (typeof content === "string") return content;
  const parts = Array.isArray(content) ? (content as Body[]) : [];
  if (parts.length > 0 && parts.every((part) => part?.type === "text" && typeof part.text === "string")) {
    return parts.map((part) => part.text).join("");
  }
  throw invalid(`messages[${i}].content`, "content must be a string or a list of text parts.");
}

function sampling(fields: Body, defaultTokens: number): GenerateOptions {
  const stop = fields.stop ?? [];
  const stops = typeof stop === "string" ? [stop] : stop;
  if (!Array.isArray(stops) || stops.length > 4 || !stops.every((text) => typeof text === "string" && text !== "")) {
    throw invalid("stop", "stop must be a string or a list of at most 4 strings, none empty.");
  }
  const given = {
    temperature: number(fields, "temperature", 0, 2),
    topP: number(fields, "top_p", 0, 1) || undefined,
    topK: integer(fields, "top_k", 0, 1e9),
    minP: number(fields, "min_p", 0, 1),
    repetitionPenalty: number(fields, "repetition_penalty", 0.01, 100),
    presencePenalty: number(fields, "presence_penalty", -2, 2),
    frequencyPenalty: number(fields, "frequency_penalty", -2, 2),
    noRepeatNgram: integer(fields, "no_repeat_ngram_size", 0, 1e6),
    // OpenAI's top_p of 0 is the likeliest token.
    ...(fields.top_p === 0 && { topK: 1 }),
  };
  const options = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const maxNewTokens = integer(fields, "max_tokens", 1, Number.MAX_SAFE_INTEGER) ?? defaultTokens;
  return { ...options, maxNewTokens, stop: stops as string[] };
}

function finish(
  fields: Body,
  parsed: Pick<ParsedRequest, "kind" | "prompts" | "options" | "echo">,
  { config: { positions } }: TextModel,
  limits: RequestLimits,
): ParsedRequest {
  const choices = integer(fields, "n", 1, limits.rows) ?? 1;
  if (choices * parsed.prompts.length > limits.rows) {
    throw invalid(
      "n",
      `${parsed.prompts.length} prompts with n ${choices} are too many: at most ${limits.rows} answers a request.`,
    );
  }
  const longest = Math.max(...parsed.prompts.map((prompt) => prompt.length));
  const { maxNewTokens = 0 } = parsed.options;
  if (longest + maxNewTokens > positions) {
    const message =
      `This model's maximum context length is ${positions} tokens. You asked for ${longest + maxNewTokens} ` +
      `(${longest} in the prompt, ${maxNewTokens} for the completion). Shorten the prompt or lower max_tokens.`;
    throw invalid(parsed.kind === "chat" ? "messages" : "prompt", message, "context_length_exceeded");
  }
  const streamOptions = (fields.stream_options ?? {}) as Body;
  return {
    ...parsed,
    choices,
    seed: integer(fields, "seed", Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - limits.rows),
    stream: flag(fields, "stream"),
    includeUsage: flag(streamOptions, "include_usage"),
  };
}

function number(fields: Body, name: string, least: number, most: number): number | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && value >= least && value <= most) return value;
  throw invalid(name, `${name} must be a number from ${least} to ${most}.`);
}

function integer(fields: Body, name: string, least: number, most: number): number | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
  const upTo =
    most >= Number.MAX_SAFE_INTEGER - 1000 ? (least > 0 ? ` of at least ${least}` : "") : ` from ${least} to ${most}`;
  throw invalid(name, `${name} must be an integer${upTo}.`);
}

function flag(fields: Body, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value === "boolean") return value;
  throw invalid(name, `${name} must be true or false.`);
}
