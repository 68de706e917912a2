/**
 * Reads and writes the two files of a tokenizer in Hugging Face form, `tokenizer.json` and `tokenizer_config.json`. In: a
 * folder. Out: vocabulary, merges and special tokens, of byte-level BPE kind or not at all. It encodes nothing (tokenizer.ts does).
 * Source: the Hugging Face `tokenizers` file format, as its releases 0.13 to 0.23 write it.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exists } from "../files.js";
import { problem } from "../message.js";
import { byteCharacters } from "./byte-level.js";
import { type PreTokenizer, type PreTokenizerJson, readPreTokenizer } from "./pre-tokenizer.js";

/** Files of a tokenizer in every form that transformers writes them; only the first is a must. */
export const TOKENIZER_FILES = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
];

/** Content of a `tokenizer.json` in Hugging Face form. */
export interface TokenizerFile {
  readonly version: "1.0";
  readonly truncation: null;
  readonly padding: null;
  readonly added_tokens: readonly AddedToken[];
  readonly normalizer: null;
  readonly pre_tokenizer: {
    readonly type: "ByteLevel";
    readonly add_prefix_space: false;
    readonly trim_offsets: true;
    readonly use_regex: true;
  };
  readonly post_processor: {
    readonly type: "ByteLevel";
    readonly add_prefix_space: true;
    readonly trim_offsets: false;
    readonly use_regex: true;
  };
  readonly decoder: {
    readonly type: "ByteLevel";
    readonly add_prefix_space: true;
    readonly trim_offsets: true;
    readonly use_regex: true;
  };
  readonly model: {
    readonly type: "BPE";
    readonly dropout: null;
    readonly unk_token: null;
    readonly continuing_subword_prefix: "";
    readonly end_of_word_suffix: "";
    readonly fuse_unk: false;
    readonly byte_fallback: false;
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly string[];
  };
}

/** A token that is matched as a whole before any word is cut. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Matched only between spaces. */
  readonly single_word?: boolean;
  /** Takes the spaces before it along. */
  readonly lstrip?: boolean;
  /** Takes the spaces after it along. */
  readonly rstrip?: boolean;
  readonly normalized?: boolean;
  readonly special?: boolean;
}

/** What encoding needs of a tokenizer's files. */
export interface TokenizerParts {
  readonly vocabulary: Readonly<Record<string, number>>;
  /** The most important first; older files write a pair as one string with a space. */
  readonly merges: string[] | [string, string][];
  /** Whether a word that is a token whole is not merged from parts, as in Llama 3. */
  readonly ignoreMerges: boolean;
  readonly preTokenizer: PreTokenizer;
  readonly addedTokens: readonly AddedToken[];
  readonly endOfTextId: number;
  /** SHA-256 of the `tokenizer.json` file, in hexadecimal. */
  readonly sha256: string;
}

/**
 * Writes `tokenizer.json` and `tokenizer_config.json` into a model folder, making it when absent.
 *
 * @param options `modelMaxLength`: positions of the model, in tokens.
 */
export async function saveTokenizer(
  file: TokenizerFile,
  folder: string,
  options: { readonly modelMaxLength: number },
): Promise<void> {
  const endOfText = file.added_tokens[0]?.content;
  const config = {
    tokenizer_class: "GPT2TokenizerFast",
    add_bos_token: false,
    add_prefix_space: false,
    bos_token: endOfText,
    eos_token: endOfText,
    unk_token: endOfText,
    clean_up_tokenization_spaces: false,
    model_max_length: options.modelMaxLength,
  };
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "tokenizer.json"), `${JSON.stringify(file, null, 1)}\n`);
  await writeFile(join(folder, "tokenizer_config.json"), `${JSON.stringify(config, null, 2)}\n`);
}

/**
 * Reads a tokenizer's files.
 *
 * @throws As `loadTokenizer` (tokenizer.ts).
 */
export async function readTokenizer(folder: string): Promise<TokenizerParts> {
  const { json, path, sha256 } = (await readPair(folder)) ?? (await readWhole(folder));
  const config = await readConfig(folder);
  const preTokenizer = ofByteLevelKind(json, path);
  const { vocab: vocabulary = {}, merges = [], ignore_merges: ignoreMerges = false } = json.model ?? {};
  const addedTokens = json.added_tokens ?? [];
  const endOfText = nameOf(config.eos_token) ?? "<|endoftext|>";
  const endOfTextId = addedTokens.find(({ content }) => content === endOfText)?.id ?? vocabulary[endOfText];
  if (endOfTextId === undefined) {
    throw new TypeError(
      problem({
        cannot: `load tokenizer "${path}"`,
        found: `no token ${endOfText}`,
        expected: "an end-of-text token, which parts the documents",
        fix: "name it as eos_token in tokenizer_config.json",
      }),
    );
  }
  return { vocabulary, merges, ignoreMerges, preTokenizer, addedTokens, endOfTextId, sha256 };
}

interface ReadTokenizer {
  readonly json: TokenizerJson;
  readonly path: string;
  readonly sha256: string;
}

async function readWhole(folder: string): Promise<ReadTokenizer> {
  const path = join(folder, "tokenizer.json");
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new Error(
      problem({
        cannot: `load a tokenizer from "${folder}"`,
        found:
          error.code === "ENOENT"
            ? "neither tokenizer.json nor both vocab.json and merges.txt there"
            : `tokenizer.json cannot be read (${error.code})`,
        expected: "a model folder with a readable tokenizer.json, or GPT-2's older pair of files",
        fix: "give the folder that holds config.json and these files, or copy them there from the model that it was trained from",
      }),
      { cause: error },
    );
  });
  return { json: parse(bytes.toString("utf8"), path), path, sha256: createHash("sha256").update(bytes).digest("hex") };
}

// What GPT-2 was published with, before there was a tokenizer.json: words to ids, and merges a line each.
async function readPair(folder: string): Promise<ReadTokenizer | undefined> {
  const [path, mergesPath] = [join(folder, "vocab.json"), join(folder, "merges.txt")];
  if (await exists(join(folder, "tokenizer.json"))) return undefined;
  if (!(await exists(path)) || !(await exists(mergesPath))) return undefined;
  const [words, lines] = [await readFile(path, "utf8"), await readFile(mergesPath, "utf8")];
  const vocab = parse(words, path) as Record<string, number>;
  const merges = lines.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#version"));
  const { eos_token, add_prefix_space = false } = await readConfig(folder);
  const added = await readFile(join(folder, "added_tokens.json"), "utf8").catch(() => "{}");
  const tokens = parse(added, join(folder, "added_tokens.json")) as Record<string, number>;
  const endOfText = nameOf(eos_token) ?? "<|endoftext|>";
  const known = { ...(vocab[endOfText] !== undefined && { [endOfText]: vocab[endOfText] }), ...tokens };
  const json: TokenizerJson = {
    model: { type: "BPE", vocab, merges },
    pre_tokenizer: { type: "ByteLevel", add_prefix_space },
    added_tokens: Object.entries(known).map(([content, id]) => ({ id, content })),
  };
  const sha256 = createHash("sha256")
    .update(JSON.stringify([words, lines, known]))
    .digest("hex");
  return { json, path, sha256 };
}

// As much of tokenizer.json as decides whether it is of byte-level BPE kind.
interface TokenizerJson {
  readonly model?: {
    readonly type?: string;
    readonly vocab?: Record<string, number>;
    readonly merges?: string[] | [string, string][];
    readonly ignore_merges?: boolean;
    readonly continuing_subword_prefix?: string | null;
    readonly end_of_word_suffix?: string | null;
  };
  readonly normalizer?: { readonly type?: string } | null;
  readonly pre_tokenizer?: PreTokenizerJson | null;
  readonly added_tokens?: readonly AddedToken[];
}

function parse(text: string, path: string): TokenizerJson {
  try {
    return (JSON.parse(text) ?? {}) as TokenizerJson;
  } catch (error) {
    throw new SyntaxError(
      problem({
        cannot: `load tokenizer "${path}"`,
        found: (error as Error).message,
        expected: "JSON",
        fix: "copy the file again from its model",
      }),
      { cause: error },
    );
  }
}

interface TokenizerConfig {
  readonly eos_token?: unknown;
  readonly add_prefix_space?: boolean;
}

async function readConfig(folder: string): Promise<TokenizerConfig> {
  const path = join(folder, "tokenizer_config.json");
  const text = await readFile(path, "utf8").catch(() => "{}");
  return parse(text, path) as TokenizerConfig;
}

// Older files write a special token as an object with its content.
function nameOf(token: unknown): string | undefined {
  if (typeof token === "string") return token;
  const content = (token as { content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : undefined;
}

function ofByteLevelKind(json: TokenizerJson, path: string): PreTokenizer {
  const { model, normalizer, pre_tokenizer: pre, added_tokens: added = [] } = json;
  const preTokenizer = readPreTokenizer(pre, normalizer);
  const vocabulary = model?.vocab ?? {};
  const missingBytes = byteCharacters.filter((character) => !Object.hasOwn(vocabulary, character)).length;
  const faults: readonly (readonly [boolean, string])[] = [
    [(model?.type ?? "BPE") !== "BPE", `model type ${model?.type}`],
    [!model?.vocab || !Array.isArray(model.merges), "no vocabulary with merges"],
    [typeof preTokenizer === "string", String(preTokenizer)],
    [Boolean(model?.continuing_subword_prefix || model?.end_of_word_suffix), "marks at the edges of words"],
    // Text with such a byte would be lost without a word.
    [missingBytes > 0, `a vocabulary without ${missingBytes} of the 256 bytes`],
    [
      added.some((token) => token.lstrip || token.rstrip || token.single_word),
      "added tokens that strip space or match single words",
    ],
  ];
  const found = faults.find(([isSo]) => isSo)?.[1];
  if (found === undefined && typeof preTokenizer !== "string") return preTokenizer;
  throw new TypeError(
    problem({
      cannot: `load tokenizer "${path}"`,
      found: found ?? "",
      expected: "byte-level BPE as GPT-2 has it, without prefix space",
      fix: "use a model of the GPT-2 family",
    }),
  );
}
