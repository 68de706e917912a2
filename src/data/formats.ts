/**
 * Which files hold text, by the ending of their names. In: a path. Out: how it is read. It opens nothing.
 */

/** A file that can be read: whole as one document, or a row a document; either may be packed with gzip. */
export interface TextFormat {
  readonly kind: "text" | "json" | "csv" | "parquet";
  readonly isGzip: boolean;
}

const KINDS: ReadonlyMap<string, TextFormat["kind"]> = new Map([
  ["txt", "text"],
  ["text", "text"],
  ["md", "text"],
  ["markdown", "text"],
  ["jsonl", "json"],
  ["ndjson", "json"],
  ["json", "json"],
  ["csv", "csv"],
  ["tsv", "csv"],
  ["parquet", "parquet"],
]);

/** What can be read, for messages. */
export const READABLE = "text (.txt, .md) or rows (.jsonl, .csv, .tsv, .parquet), also with .gz";

/** The format of a path, or undefined for one that is not read. */
export function formatOf(path: string): TextFormat | undefined {
  const [, ending = "", gzip] = /\.([a-z]+)(\.gz)?$/i.exec(path) ?? [];
  const kind = KINDS.get(ending.toLowerCase());
  return kind && { kind, isGzip: gzip !== undefined };
}

/** Whether a file stands beside texts without being one: what repositories say of themselves. */
export function isAboutOthers(path: string): boolean {
  return /(^|\/)(readme|license|licence|changelog|contributing)(\.(md|markdown|txt|text))?$|(^|\/)(dataset_infos?|state|config)\.json$/i.test(
    path,
  );
}
