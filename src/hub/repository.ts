/**
 * A repository of the Hub at one commit. In: its kind, name and revision. Out: the list of its files, any of them on disk, and
 * its card. Online it asks which commit the revision stands for and brings what is missing; offline, or when the Hub cannot
 * be reached, it makes do with the cache. Which files a model or a dataset needs is decided elsewhere.
 */
import { readFile } from "node:fs/promises";
import { posix } from "node:path";
import { parse } from "yaml";
import { exists } from "../files.js";
import { problem } from "../message.js";
import { isCommit, type ListedFile, RepositoryCache } from "./cache.js";
import { HubClient } from "./client.js";
import { type DownloadProgress, downloadFile } from "./download.js";
import { downloadOf, HubError, pageOf, type RepositoryName } from "./errors.js";
import { type HubSettings, hubSettings } from "./settings.js";

/** How to open a repository. */
export interface RepositoryOptions {
  /** Default: from the environment. */
  readonly settings?: HubSettings | undefined;
  /** Told how much of a file is there. */
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

/** An open repository; close it when done. */
export interface Repository extends RepositoryName {
  readonly commit: string;
  readonly files: readonly ListedFile[];
  /** The folder of this commit in the cache; it holds what was fetched. */
  readonly folder: string;
  /** Name, page, revision and commit in words. */
  readonly origin: string;
  /** What its user should know, such as that it has another name now. */
  readonly notes: readonly string[];
  /**
   * Brings one file.
   *
   * @returns its path on disk.
   * @throws HubError
   */
  fetch(file: string): Promise<string>;
  close(): Promise<void>;
}

/** Whether a name could be one of the Hub: `owner/name`, or `name` for a few old models. */
export function isHubName(name: string): boolean {
  return /^(?!.*(--|\.\.))[A-Za-z0-9][\w.-]{0,95}(\/[A-Za-z0-9][\w.-]{0,95})?$/.test(name);
}

/**
 * Opens a repository.
 *
 * @throws HubError, one `fault` for each way in which it can fail.
 * @example
 * const repository = await openRepository({ kind: "model", name: "distilgpt2", revision: "main" });
 * const path = await repository.fetch("config.json");
 * await repository.close();
 */
export async function openRepository(name: RepositoryName, options: RepositoryOptions = {}): Promise<Repository> {
  const settings = options.settings ?? hubSettings();
  checkName(name);
  const cache = new RepositoryCache(settings.cacheFolder, name);
  const client = new HubClient(settings);
  try {
    const { commit, files, presentName, isOnline } = await look(client, cache, name);
    const isRenamed = presentName.toLowerCase() !== name.name.toLowerCase();
    const renamed = isRenamed ? `, now ${presentName}` : "";
    const note = `The ${name.kind} "${name.name}" is called "${presentName}" now. Use that name: another may take the old one.`;
    return {
      ...name,
      commit,
      files,
      folder: cache.snapshot(commit),
      origin: `${pageOf(settings.endpoint, name)}${renamed}, revision ${name.revision}, commit ${commit}`,
      notes: isRenamed ? [note] : [],
      fetch: async (file) => {
        checkPath(name, file);
        const path = cache.snapshot(commit, file);
        if (await exists(path)) return path;
        if (!isOnline) throw notInCache(settings, name, `${file} not in the cache`);
        return downloadFile({ client, cache, repository: name, commit, file, onProgress: options.onProgress });
      },
      close: () => client.close(),
    };
  } catch (error) {
    await client.close();
    throw error;
  }
}

interface Look {
  readonly commit: string;
  readonly files: readonly ListedFile[];
  readonly presentName: string;
  readonly isOnline: boolean;
}

async function look(client: HubClient, cache: RepositoryCache, name: RepositoryName): Promise<Look> {
  const { settings } = client;
  const cached = await cache.commitOf(name.revision);
  const fromCache = async (commit: string): Promise<Look> => {
    return { commit, files: await cache.files(commit), presentName: name.name, isOnline: false };
  };
  if (settings.offline) {
    if (cached === undefined) throw notInCache(settings, name, "it is not in the cache");
    return fromCache(cached);
  }
  try {
    // The cache answers for most of a run's needs, so a Hub out of reach is not asked five times.
    const answer = await client.ask({
      repository: name,
      path: `/api/${name.kind}s/${name.name}/revision/${encodeURIComponent(name.revision)}?blobs=true`,
      ...(cached !== undefined && { tries: 1 }),
    });
    const { id, sha, siblings } = (await answer.body.json().catch(() => ({}))) as Partial<Listing>;
    if (typeof sha !== "string" || !isCommit(sha) || !Array.isArray(siblings)) {
      const found = "an answer of another kind";
      const fix = `check that HF_ENDPOINT ${settings.endpoint} is a Hub`;
      throw new HubError(
        "server",
        problem({ cannot: downloadOf(name), found, expected: "commit and files in JSON", fix }),
      );
    }
    const files = siblings.map(({ rfilename, size }) => ({
      path: checkPath(name, rfilename),
      ...(typeof size === "number" && { bytes: size }),
    }));
    await cache.remember(name.revision, sha, files);
    return { commit: sha, files, presentName: id ?? name.name, isOnline: true };
  } catch (error) {
    const isAway = error instanceof HubError && ["unreachable", "server", "rate-limited"].includes(error.fault);
    if (isAway && cached !== undefined) return fromCache(cached);
    throw error;
  }
}

interface Listing {
  readonly id: string;
  readonly sha: string;
  readonly siblings: readonly { readonly rfilename: string; readonly size?: number }[];
}

function notInCache(settings: HubSettings, name: RepositoryName, found: string): HubError {
  const why = settings.offline ? "HF_HUB_OFFLINE is set" : `${settings.endpoint} cannot be reached`;
  const expected = `it in ${settings.cacheFolder}`;
  const fix = settings.offline ? "unset HF_HUB_OFFLINE, and run once with a network" : "run again with a network";
  return new HubError("offline", problem({ cannot: downloadOf(name), found: `${found}, and ${why}`, expected, fix }));
}

function checkName(name: RepositoryName): void {
  const isRevision = /^(?!.*(\.\.|\/\/))[\w][\w./-]*$/.test(name.revision) && !name.revision.endsWith("/");
  if (isHubName(name.name) && isRevision) return;
  const found = isRevision ? `the name "${name.name}"` : `the revision "${name.revision}"`;
  const expected = isRevision ? "owner/name as on the Hub" : "a branch, tag, refs/pr/<number> or commit";
  throw new HubError("missing", problem({ cannot: downloadOf(name), found, expected, fix: "copy it from its page" }));
}

// A file's name comes from the network and becomes a path on this disk.
function checkPath(name: RepositoryName, file: unknown): string {
  const isSafe =
    typeof file === "string" && file !== "" && posix.normalize(file) === file && !/^(\/|\.\.)|[\\:\0]/.test(file);
  if (isSafe) return file;
  const found = `a file named ${JSON.stringify(file)}`;
  const fix = "choose another repository: this one is not to be trusted";
  throw new HubError(
    "damaged",
    problem({ cannot: downloadOf(name), found, expected: "a path below the repository", fix }),
  );
}

/** What a repository's README.md says at its head. */
export interface Card {
  /** As the Hub spells it: `mit`, `apache-2.0` …; "not stated" when it is not. */
  readonly licence: string;
  /** Everything else, unchecked. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Reads the card of a repository; one without card states nothing. */
export async function readCard(repository: Repository): Promise<Card> {
  const has = repository.files.some(({ path }) => path === "README.md");
  const text = has ? await readFile(await repository.fetch("README.md"), "utf8") : "";
  const head = /^---\r?\n([\s\S]*?)\r?\n---/.exec(text)?.[1];
  let fields: unknown;
  try {
    fields = parse(head ?? "");
  } catch {
    fields = undefined;
  }
  const known = typeof fields === "object" && fields !== null ? (fields as Record<string, unknown>) : {};
  const { license } = known;
  const licence = Array.isArray(license) ? license.join(", ") : license;
  return { licence: typeof licence === "string" && licence !== "" ? licence : "not stated", fields: known };
}
