/**
 * Where the Hugging Face Hub is and how it is reached. In: environment variables, the same ones that Python's
 * huggingface_hub reads. Out: HubSettings, which every other file of this folder is given. It touches no network.
 * Names: https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
 */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** How to reach the Hub, and where its files are kept. */
export interface HubSettings {
  /** Without a slash at the end. `HF_ENDPOINT`, default https://huggingface.co */
  readonly endpoint: string;
  /** Folder that is shared with Python. `HF_HUB_CACHE`, default `hub` in `HF_HOME`, which is ~/.cache/huggingface */
  readonly cacheFolder: string;
  /** `HF_TOKEN`, else what `hf auth login` has saved. */
  readonly token?: string;
  /** `HF_HUB_OFFLINE=1`: only what is in the cache already. */
  readonly offline: boolean;
  /** `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, in either case; empty where unset. */
  readonly proxies: { readonly http: string; readonly https: string; readonly none: string };
  /** Attempts without progress before a download is given up. Default 5. */
  readonly tries: number;
  /** Longest pause that the Hub may ask for before it counts as refused. Default 60. */
  readonly longestWaitSeconds: number;
  /** Pauses between attempts; tests give one that does not. */
  readonly wait: (seconds: number) => Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings.
 *
 * @param environment default `process.env`.
 * @example
 * hubSettings({ HF_ENDPOINT: "https://hub.example/", HF_HOME: "/data" }).cacheFolder; // "/data/hub"
 */
export function hubSettings(environment: Environment = process.env): HubSettings {
  const first = (...names: string[]): string | undefined => names.map((name) => environment[name]).find(Boolean);
  const home = resolve(first("HF_HOME") ?? join(first("XDG_CACHE_HOME") ?? join(homedir(), ".cache"), "huggingface"));
  const token = (
    first("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") ?? savedToken(first("HF_TOKEN_PATH") ?? join(home, "token"))
  ).trim();
  return {
    endpoint: (first("HF_ENDPOINT") ?? "https://huggingface.co").replace(/\/+$/, ""),
    cacheFolder: resolve(first("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? join(home, "hub")),
    ...(token !== "" && { token }),
    offline: /^(1|true|yes|on)$/i.test(first("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE") ?? ""),
    proxies: {
      http: first("http_proxy", "HTTP_PROXY") ?? "",
      https: first("https_proxy", "HTTPS_PROXY") ?? "",
      none: first("no_proxy", "NO_PROXY") ?? "",
    },
    tries: 5,
    longestWaitSeconds: 60,
    wait: (seconds) => sleep(seconds * 1000),
  };
}

function savedToken(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
