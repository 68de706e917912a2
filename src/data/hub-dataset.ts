/**
 * A dataset of the Hugging Face Hub as files on this disk. In: a name, `owner/name` or `owner/name:subset`, and a revision.
 * Out: the files of its training split, downloaded, with where they came from. Only data files are read: a repository that
 * holds a loading script is read from the parquet files that the Hub itself has made of it (`refs/convert/parquet`).
 * Naming of splits: https://huggingface.co/docs/hub/datasets-file-names-and-splits
 */
import { HubError } from "../hub/errors.js";
import { openRepository, type Repository, type RepositoryOptions, readCard } from "../hub/repository.js";
import { nearest, problem } from "../message.js";
import { formatOf, isAboutOthers, READABLE } from "./formats.js";
import type { SourceFiles } from "./text-source.js";

/** How to get a dataset of the Hub. */
export interface HubDatasetOptions extends RepositoryOptions {
  /** Branch, tag, `refs/pr/<number>` or commit; empty, the default, takes main, else the Hub's own parquet files. */
  readonly revision?: string | undefined;
}

const CONVERTED = "refs/convert/parquet";

// Old names without owner, and the one place where this dataset has files without a script.
const KNOWN: ReadonlyMap<string, { readonly name: string; readonly revisions: readonly string[] }> = new Map([
  ["tiny_shakespeare", { name: "karpathy/tiny_shakespeare", revisions: ["refs/pr/2"] }],
  ["karpathy/tiny_shakespeare", { name: "karpathy/tiny_shakespeare", revisions: ["refs/pr/2"] }],
]);

/** Whether a name without owner is one of the old ones that are known. */
export function isKnownDataset(name: string): boolean {
  return KNOWN.has(name);
}

/**
 * Brings a dataset.
 *
 * @throws RangeError when it holds nothing that can be read; HubError when the Hub refuses.
 */
export async function downloadDataset(nameAndSubset: string, options: HubDatasetOptions = {}): Promise<SourceFiles> {
  const [asked = "", subset] = nameAndSubset.split(":");
  const { name, revisions } = KNOWN.get(asked) ?? { name: asked, revisions: ["main", CONVERTED] };
  let scripts: string[] = [];
  for (const revision of options.revision ? [options.revision] : revisions) {
    const repository = await openOrNothing(name, revision, options, scripts.length > 0);
    if (!repository) break;
    try {
      const chosen = await chooseFiles(repository, subset);
      if (chosen) return await bring(repository, nameAndSubset, chosen);
      scripts = repository.files.map(({ path }) => path);
    } finally {
      await repository.close();
    }
  }
  const script = scripts.find((path) => path.endsWith(".py"));
  const found = script
    ? `only a loading script (${script}), which Fledge does not run`
    : `no file that it reads in ${scripts.length} files`;
  const fix = "choose another dataset, or save its texts as JSON lines and give that file";
  throw new RangeError(problem({ cannot: `load dataset "${nameAndSubset}"`, found, expected: READABLE, fix }));
}

// The second place to look need not be there.
async function openOrNothing(
  name: string,
  revision: string,
  options: HubDatasetOptions,
  mayMiss: boolean,
): Promise<Repository | undefined> {
  return openRepository({ kind: "dataset", name, revision }, options).catch((error: unknown) => {
    const isMissing = error instanceof HubError && ["no-revision", "offline", "missing"].includes(error.fault);
    if (mayMiss && isMissing) return undefined;
    throw error;
  });
}

interface Chosen {
  readonly paths: readonly string[];
  readonly notes: readonly string[];
}

interface DataFile {
  readonly path: string;
  readonly subset: string;
  readonly split: string;
}

async function chooseFiles(repository: Repository, subset: string | undefined): Promise<Chosen | undefined> {
  const { files, name, revision } = repository;
  const readable = files
    .map(({ path }) => path)
    .filter((path) => formatOf(path) && !isAboutOthers(path) && !/(^|\/)[._]/.test(path));
  const kinds = ["parquet", "json", "csv", "text"] as const;
  const best = kinds.find((kind) => readable.some((path) => formatOf(path)?.kind === kind));
  if (best === undefined) return undefined;
  const { fields } = await readCard(repository);
  const declared = declaredFiles(fields.configs, readable);
  const found =
    declared.length > 0 ? declared : readable.filter((path) => formatOf(path)?.kind === best).map(byPath(revision));
  const subsets = [...new Set(found.map((file) => file.subset))];
  const defaults = [
    subset,
    defaultOf(fields.configs),
    "default",
    "plain_text",
    subsets.length === 1 ? subsets[0] : undefined,
  ];
  const chosen = subset === undefined ? defaults.find((one) => one !== undefined && subsets.includes(one)) : subset;
  if (chosen === undefined || !subsets.includes(chosen)) {
    const near = nearest(subset ?? "", subsets) ?? subsets[0];
    const what = subset === undefined ? `${subsets.length} subsets and none named` : `no subset "${subset}"`;
    const expected = `one of ${subsets.slice(0, 20).join(", ")}`;
    throw new RangeError(
      problem({ cannot: `load dataset "${name}"`, found: what, expected, fix: `use datasetName: "${name}:${near}"` }),
    );
  }
  const ofSubset = found.filter((file) => file.subset === chosen);
  const split = ["train", "", "test", "validation"].find((one) => ofSubset.some((file) => file.split === one)) ?? "";
  const paths = ofSubset
    .filter((file) => file.split === split)
    .map(({ path }) => path)
    .sort();
  const others = [...new Set(ofSubset.map((file) => file.split))].filter((one) => one !== split && one !== "");
  const left = others.length > 0 ? `; ${others.join(" and ")} of the source are left out, Fledge makes its own` : "";
  const notes = split === "" ? [] : [`Only the ${split} split is read${left}.`];
  if (subsets.length > 1) notes.push(`Of ${subsets.length} subsets, "${chosen}" is read.`);
  return { paths, notes };
}

// Words of the Hub's own rules, as they stand between other letters.
function splitOf(path: string): string {
  const has = (words: string) => new RegExp(`(^|[^a-z])(${words})([^a-z]|$)`, "i").test(path);
  if (has("train|training")) return "train";
  if (has("validation|valid|val|dev")) return "validation";
  return has("test|testing|eval|evaluation") ? "test" : "";
}

// In the Hub's own files the first folder is the subset; elsewhere a folder is, unless it only holds the data.
function byPath(revision: string): (path: string) => DataFile {
  return (path) => {
    const folders = path.split("/").slice(0, -1);
    const first = folders[0] ?? "";
    const isSubset = revision === CONVERTED || (first !== "data" && splitOf(first) === "");
    return {
      path,
      subset: isSubset && first !== "" ? first : "default",
      split: splitOf(path.slice(isSubset ? first.length : 0)),
    };
  };
}

// The card's own list: configs: [{ config_name, default, data_files: pattern | [pattern] | [{ split, path }] }].
function declaredFiles(configs: unknown, readable: readonly string[]): DataFile[] {
  if (!Array.isArray(configs)) return [];
  return configs.flatMap((config: { config_name?: unknown; data_files?: unknown }) => {
    const entries = [config?.data_files ?? []].flat() as (string | { split?: unknown; path?: unknown })[];
    return entries.flatMap((entry) => {
      const patterns = [typeof entry === "string" ? entry : (entry.path ?? [])].flat().map(String);
      const declared = typeof entry === "string" ? undefined : String(entry.split ?? "train");
      return readable
        .filter((path) => patterns.some((pattern) => toExpression(pattern).test(path)))
        .map((path) => ({ path, subset: String(config.config_name ?? "default"), split: declared ?? splitOf(path) }));
    });
  });
}

function defaultOf(configs: unknown): string | undefined {
  if (!Array.isArray(configs)) return undefined;
  const marked = configs.find((config: { default?: unknown }) => config?.default === true) as
    | { config_name?: unknown }
    | undefined;
  return marked && String(marked.config_name);
}

// * stays within a folder, ** does not.
function toExpression(pattern: string): RegExp {
  const escaped = pattern.replace(/^\.\//, "").replace(/[.+^${}()|\\]/g, "\\$&");
  const body = escaped.replace(/\*\*\/?|\*|\?/g, (wild) =>
    wild.startsWith("**") ? ".*" : wild === "*" ? "[^/]*" : "[^/]",
  );
  return new RegExp(`^${body}$`);
}

async function bring(repository: Repository, name: string, { paths, notes }: Chosen): Promise<SourceFiles> {
  const files: { path: string; id: string }[] = [];
  for (const id of paths) files.push({ id, path: await repository.fetch(id) });
  const { licence } = await readCard(repository);
  return { name, files, origin: repository.origin, licence, notes: [...repository.notes, ...notes] };
}
