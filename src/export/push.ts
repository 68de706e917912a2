/**
 * A saved model to a repository of the Hugging Face Hub. In: a model folder and a repository's name. Out: first a plan, which
 * sends nothing; then one commit with all files, large ones through the Hub's storage for large files. `@huggingface/hub`
 * speaks the protocol; this file chooses what goes, names the repository and words what the Hub refuses. It deletes nothing.
 */
import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { commitIter, createRepo, HubApiError } from "@huggingface/hub";
import { exists } from "../files.js";
import type { HubSettings } from "../hub/settings.js";
import { problem } from "../message.js";

/** What a push will send, and where to. */
export interface PushPlan {
  /** Absolute path. */
  readonly folder: string;
  /** `owner/name` */
  readonly repository: string;
  /** Page of the repository. */
  readonly url: string;
  /** By path in the repository, sorted. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  /** Sum of the files. */
  readonly bytes: number;
}

/** What may be chosen for a push. */
export interface PushOptions {
  /** A repository that is made for it is open to everybody. Default false: only its owner sees it. */
  readonly public?: boolean;
  /** First line of the commit. Default `Upload a model trained with Fledge`. */
  readonly message?: string;
  /** Told how far each file is, from 0 to 1. */
  readonly onProgress?: (path: string, share: number) => void;
}

/** What a push did. */
export interface Pushed {
  /** Page of the commit. */
  readonly commitUrl: string;
  /** The repository was made for it. */
  readonly created: boolean;
}

type Place = Pick<HubSettings, "endpoint" | "token">;

// Names as the Hub allows them: letters, digits, and . _ - inside.
const REPOSITORY = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]{0,95}$/;

/**
 * Lists what a push would send. Nothing is sent and nothing asked of the Hub.
 *
 * @param folder a saved model; files and folders whose name begins with a dot stay here
 * @param repository `owner/name`
 * @param place endpoint, from `hubSettings()`
 * @throws RangeError for a repository's name that the Hub does not allow, or a folder that holds no model
 */
export async function planPush(folder: string, repository: string, { endpoint }: Place): Promise<PushPlan> {
  const cannot = `push ${folder}`;
  if (!REPOSITORY.test(repository)) {
    const fix = "give it as owner/name, with letters, digits, and . _ - inside";
    throw new RangeError(problem({ cannot, found: `repository "${repository}"`, expected: "a name of the Hub", fix }));
  }
  for (const name of ["config.json", "model.safetensors"]) {
    if (await exists(join(folder, name))) continue;
    const fix = "give the finalModelDir of a run";
    throw new RangeError(problem({ cannot, found: `no ${name} in it`, expected: "the folder of a saved model", fix }));
  }
  const files = await filesBelow(resolve(folder), "");
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return { folder: resolve(folder), repository, url: `${endpoint}/${repository}`, files, bytes };
}

async function filesBelow(folder: string, prefix: string): Promise<{ path: string; bytes: number }[]> {
  const files: { path: string; bytes: number }[] = [];
  for (const entry of await readdir(join(folder, prefix), { withFileTypes: true })) {
    if (entry.name.startsWith(".")) continue;
    const path = `${prefix}${entry.name}`;
    if (entry.isDirectory()) files.push(...(await filesBelow(folder, `${path}/`)));
    else if (entry.isFile()) files.push({ path, bytes: (await stat(join(folder, path))).size });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Sends a plan: makes the repository when there is none, uploads the large files, then commits all of them at once. A push
 * that breaks off leaves the repository as it was, and the same call starts again without what has arrived.
 *
 * @param place endpoint and token, from `hubSettings()`
 * @throws RangeError without a token; Error for what the Hub or the network refuses
 * @example
 * const plan = await planPush("./final_model", "me/letters", hubSettings());
 * await push(plan, hubSettings());
 */
export async function push(plan: PushPlan, place: Place, options: PushOptions = {}): Promise<Pushed> {
  const { folder, repository, files } = plan;
  const { endpoint, token } = place;
  if (token === undefined) {
    const found = "no token of the Hugging Face Hub";
    const fix = `make one that may write at ${endpoint}/settings/tokens and set HF_TOKEN`;
    throw new RangeError(problem({ cannot: `push to ${plan.url}`, found, expected: "one in HF_TOKEN", fix }));
  }
  const repo = { type: "model" as const, name: repository };
  const access = { accessToken: token, hubUrl: endpoint };
  try {
    const created = await makeRepository({ ...access, repo, private: options.public !== true });
    const commit = commitIter({
      ...access,
      repo,
      title: options.message ?? "Upload a model trained with Fledge",
      operations: files.map(({ path }) => {
        return { operation: "addOrUpdate", path, content: pathToFileURL(join(folder, path)) } as const;
      }),
    });
    while (true) {
      const next = await commit.next();
      if (next.done) return { commitUrl: next.value?.commit.url ?? plan.url, created };
      if (next.value.event === "fileProgress" && next.value.state === "uploading") {
        options.onProgress?.(next.value.path, next.value.progress);
      }
    }
  } catch (error) {
    throw worded(plan.url, endpoint, error);
  }
}

async function makeRepository(params: Parameters<typeof createRepo>[0]): Promise<boolean> {
  try {
    await createRepo(params);
    return true;
  } catch (error) {
    if (error instanceof HubApiError && error.statusCode === 409) return false; // it is there already
    throw error;
  }
}

function worded(url: string, endpoint: string, error: unknown): Error {
  const cannot = `push to ${url}`;
  const make = (found: string, expected: string, fix: string) =>
    new Error(problem({ cannot, found, expected, fix }), { cause: error });
  if (!(error instanceof HubApiError)) {
    const cause = (error as Error).cause;
    const found = cause instanceof Error ? cause.message : (error as Error).message;
    return make(`${found}`, `an answer from ${endpoint}`, "check the connection and HF_ENDPOINT, then run again");
  }
  const { statusCode, message } = error;
  const found = `HTTP ${statusCode}, ${message.replace(/\. URL: .*$/s, "")}`;
  if (statusCode === 401) {
    return make(found, "a valid token", `make a new one at ${endpoint}/settings/tokens and set HF_TOKEN`);
  }
  if (statusCode === 403) {
    return make(found, "a token that may write there", `give it that right at ${endpoint}/settings/tokens`);
  }
  return make(found, "the Hub to take the files", "see what it says, and run again");
}
