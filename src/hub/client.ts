/**
 * Requests to the Hub. In: settings and a path. Out: an answer with its headers and body. It follows redirects (the token
 * stays with the Hub's own host), goes through proxies, tries again where that may help, and turns every refusal into a
 * HubError. What is asked for and where it is kept: repository.ts and download.ts.
 */
import type { Readable } from "node:stream";
import { EnvHttpProxyAgent, request } from "undici";
import { problem } from "../message.js";
import { downloadOf, HubError, type RepositoryName, refusal } from "./errors.js";
import type { HubSettings } from "./settings.js";

/** An answer that is no refusal. */
export interface HubAnswer {
  readonly status: number;
  /** Value of a header, over all redirects: the first that bears it. */
  header(name: string): string | undefined;
  readonly body: Readable & { json(): Promise<unknown>; dump(): Promise<void> };
}

/** What to ask for. */
export interface HubRequest {
  readonly repository: RepositoryName;
  /** Below the endpoint, starting with a slash. */
  readonly path: string;
  readonly method?: "GET" | "HEAD";
  /** First byte wanted; 0, the default, asks for all without a Range. */
  readonly from?: number;
  /** File of the repository, for messages. */
  readonly file?: string;
  /** Fewer attempts than the settings say. */
  readonly tries?: number;
}

const MOST_REDIRECTS = 8;

/** A connection to the Hub; close it when done. */
export class HubClient {
  readonly #agent: EnvHttpProxyAgent;

  constructor(readonly settings: HubSettings) {
    const { http, https, none } = settings.proxies;
    const proxies = { httpProxy: http, httpsProxy: https, noProxy: none };
    this.#agent = new EnvHttpProxyAgent({
      ...proxies,
      connectTimeout: 15_000,
      headersTimeout: 30_000,
      bodyTimeout: 60_000,
    });
  }

  /** Lets go of all connections. */
  async close(): Promise<void> {
    await this.#agent.close();
  }

  /**
   * Asks, and asks again after a broken connection, a 5xx or a short "too many requests".
   *
   * @throws HubError
   */
  async ask(wanted: HubRequest): Promise<HubAnswer> {
    const { tries, wait, longestWaitSeconds } = this.settings;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once(wanted);
      } catch (error) {
        if (!(error instanceof Retry)) throw error;
        const seconds = error.retryAfter ?? 2 ** (attempt - 2);
        if (attempt >= (wanted.tries ?? tries) || seconds > longestWaitSeconds) throw error.problem;
        await wait(seconds);
      }
    }
  }

  async #once({ repository, path, method = "GET", from = 0, file }: HubRequest): Promise<HubAnswer> {
    const { endpoint, token } = this.settings;
    const seen: Readonly<Record<string, string | string[] | undefined>>[] = [];
    let address = new URL(endpoint + path);
    while (seen.length <= MOST_REDIRECTS) {
      const atHome = address.origin === new URL(endpoint).origin;
      const headers = {
        "user-agent": "fledge",
        "accept-encoding": "identity",
        ...(from > 0 && { range: `bytes=${from}-` }),
        ...(token !== undefined && atHome && { authorization: `Bearer ${token}` }),
      };
      const answer = await request(address, { method, headers, dispatcher: this.#agent }).catch((error: Error) => {
        throw new Retry(unreachable(endpoint, repository, error));
      });
      const { statusCode: status } = answer;
      seen.push(answer.headers);
      const header = (name: string) => seen.flatMap((headers) => headers[name]).find((value) => value !== undefined);
      const to = answer.headers.location;
      if (status >= 300 && status < 400 && typeof to === "string") {
        await answer.body.dump();
        const next = new URL(to, address);
        // The Hub answers for its own files itself; the size and hash of large ones are in its redirect to their store.
        if (method === "HEAD" && next.origin !== address.origin) return { status: 200, header, body: answer.body };
        address = next;
        continue;
      }
      if (status < 300 || status === 416) return { status, header, body: answer.body };
      await answer.body.dump();
      throw this.#refused(repository, status, answer.headers, file);
    }
    const found = `more than ${MOST_REDIRECTS} redirects, the last to ${address.origin}${address.pathname}`;
    const fix = `look the repository up at ${endpoint} and use its present name`;
    throw new HubError("redirect", problem({ cannot: downloadOf(repository), found, expected: "the file", fix }));
  }

  #refused(
    repository: RepositoryName,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
    file: string | undefined,
  ): Error {
    const retryAfter = secondsUntil(String(headers["retry-after"] ?? ""), String(headers.date ?? ""));
    const error = refusal(this.settings.endpoint, repository, {
      status,
      code: String(headers["x-error-code"] ?? ""),
      withToken: this.settings.token !== undefined,
      ...(retryAfter !== undefined && { retryAfter }),
      ...(file !== undefined && { file }),
    });
    const isPassing = error.fault === "rate-limited" || (error.fault === "server" && status >= 500);
    return isPassing ? new Retry(error, retryAfter) : error;
  }
}

/** A failure that may pass; `problem` is what to say when it does not. */
class Retry extends Error {
  constructor(
    readonly problem: HubError,
    readonly retryAfter?: number,
  ) {
    super(problem.message);
  }
}

/** Words a connection that cannot be made or that broke. */
export function unreachable(endpoint: string, repository: RepositoryName, error: unknown): HubError {
  const { code, message } = error as NodeJS.ErrnoException;
  const found = `no connection to ${endpoint} (${code ?? message})`;
  const fix =
    "check the network, or set HTTPS_PROXY behind a proxy, or HF_HUB_OFFLINE=1 to use only what was downloaded";
  const text = problem({ cannot: downloadOf(repository), found, expected: "an answer", fix });
  return new HubError("unreachable", text, { cause: error });
}

// Retry-After holds seconds, or a date by the server's own clock (RFC 9110, 10.2.3).
function secondsUntil(retryAfter: string, now: string): number | undefined {
  if (/^\d+$/.test(retryAfter)) return Number(retryAfter);
  const seconds = Math.ceil((Date.parse(retryAfter) - Date.parse(now)) / 1000);
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}
