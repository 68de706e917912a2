/**
 * What can go wrong between here and the Hub, one kind each. In: a repository and what the Hub answered. Out: a HubError
 * whose message names the fix. It sends nothing and never prints a token.
 * Codes: the header X-Error-Code, as huggingface_hub reads it.
 */
import { problem } from "../message.js";

/** Models and datasets lie at different addresses. */
export type RepositoryKind = "model" | "dataset";

/** A repository at a revision. */
export interface RepositoryName {
  readonly kind: RepositoryKind;
  /** `owner/name`, or an old name without owner such as `gpt2`. */
  readonly name: string;
  /** A branch, tag, pull request (`refs/pr/2`) or commit. */
  readonly revision: string;
}

/** Why the Hub did not give what was asked for. */
export type HubFault =
  | "missing" // no such repository, or a private one
  | "no-revision"
  | "no-file"
  | "gated" // its owner asks for an agreement first
  | "token" // the token is refused
  | "redirect" // it leads in circles or nowhere
  | "rate-limited"
  | "server" // 5xx
  | "unreachable" // no connection, or one that breaks again and again
  | "offline" // HF_HUB_OFFLINE, and not in the cache
  | "damaged" // what arrived is not what was announced
  | "disk"; // no room for it

/**
 * An error of the Hub; `fault` tells them apart.
 *
 * @example
 * const settings = { ...hubSettings(), offline: true };
 * const texts = await loadDataset("owner/texts", { settings }).catch((error) => {
 *   if (error instanceof HubError && error.fault === "offline") return loadDataset("sotu", { maxDocuments: 3 });
 *   throw error;
 * });
 * texts.documents.length; // 3
 */
export class HubError extends Error {
  override readonly name = "HubError";

  constructor(
    readonly fault: HubFault,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The page of a repository for people. */
export function pageOf(endpoint: string, { kind, name }: RepositoryName): string {
  return `${endpoint}/${kind === "dataset" ? "datasets/" : ""}${name}`;
}

/** `download model "gpt2"`, for messages; the revision is named when it is not the usual one. */
export function downloadOf({ kind, name, revision }: RepositoryName): string {
  return `download ${kind} "${name}"${revision === "main" ? "" : ` at revision "${revision}"`}`;
}

/** What the Hub's refusal means. */
export interface Answer {
  readonly status: number;
  /** Value of X-Error-Code. */
  readonly code: string;
  /** Whether a token was sent. */
  readonly withToken: boolean;
  /** Seconds from Retry-After. */
  readonly retryAfter?: number;
  /** File that was asked for. */
  readonly file?: string;
}

/** Words a refusal of the Hub. */
export function refusal(endpoint: string, repository: RepositoryName, answer: Answer): HubError {
  const { status, code, withToken, retryAfter, file } = answer;
  const cannot = downloadOf(repository);
  const page = pageOf(endpoint, repository);
  const token = `set HF_TOKEN to a token from ${endpoint}/settings/tokens`;
  const make = (fault: HubFault, found: string, expected: string, fix: string): HubError =>
    new HubError(fault, problem({ cannot, found: `${found} (HTTP ${status})`, expected, fix }));
  if (status === 429) {
    const when = retryAfter === undefined ? "" : `, to try again in ${retryAfter} seconds`;
    const fix = withToken ? "wait and run again; what arrived is kept" : `wait and run again, or ${token}`;
    return make("rate-limited", `too many requests from here${when}`, "an answer", fix);
  }
  if (status >= 500) {
    return make("server", `${endpoint} has trouble of its own`, "an answer", "run again later; what arrived is kept");
  }
  if (code === "GatedRepo") {
    const expected = "one that you may read";
    if (!withToken)
      return make(
        "gated",
        "its owner wants to know who reads it",
        expected,
        `accept its terms at ${page}, then ${token}`,
      );
    return make("gated", "your account has no access yet", expected, `ask for it at ${page}, then run again`);
  }
  if (code === "RevisionNotFound") {
    return make(
      "no-revision",
      `no revision "${repository.revision}"`,
      "a branch, tag or commit",
      `choose one from ${page}/tree/main`,
    );
  }
  if (code === "EntryNotFound" || (status === 404 && file !== undefined)) {
    return make(
      "no-file",
      `no file ${file ?? ""} in it`,
      "a file of the repository",
      `choose one from ${page}/tree/${repository.revision}`,
    );
  }
  if (status === 401 && withToken && code !== "RepoNotFound") {
    return make(
      "token",
      "your token is refused",
      "a valid token",
      `make a new one at ${endpoint}/settings/tokens and set HF_TOKEN, or unset it`,
    );
  }
  if (status === 401 || status === 404) {
    const fix = withToken ? `check the name at ${page}` : `check the name at ${page}; if it is private, ${token}`;
    return make("missing", `no ${repository.kind} of that name that you may see`, "a name as on the Hub", fix);
  }
  if (status === 403) return make("gated", "access refused", "one that you may read", `see ${page}, then ${token}`);
  return make("server", "an unexpected answer", "the file", `see ${page}`);
}
