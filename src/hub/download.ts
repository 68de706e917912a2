/**
 * One file of a repository, from the Hub into the cache. In: a connection, the cache, a commit and a file. Out: the path of the
 * file in the snapshot. The bytes go to `<etag>.incomplete`; a broken connection goes on where it stopped, in this process
 * or in a later one; at the end size and hash must be those that the Hub announced.
 * ETag: SHA-256 for large files, else git's own hash of a blob, https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { diskProblem, exists, isAlive } from "../files.js";
import { problem } from "../message.js";
import type { RepositoryCache } from "./cache.js";
import { type HubClient, type HubRequest, unreachable } from "./client.js";
import { downloadOf, HubError, type RepositoryName } from "./errors.js";

/** How far a download is; `receivedBytes` counts what an earlier attempt left. */
export interface DownloadProgress {
  readonly type: "download";
  readonly repository: string;
  readonly file: string;
  readonly receivedBytes: number;
  readonly totalBytes: number;
}

/** What a download needs. */
export interface FileDownload {
  readonly client: HubClient;
  readonly cache: RepositoryCache;
  readonly repository: RepositoryName;
  readonly commit: string;
  /** Path in the repository. */
  readonly file: string;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

const PROGRESS_BYTES = 1 << 20;

/**
 * Brings one file.
 *
 * @returns its path in the snapshot; at once when it is there.
 * @throws HubError
 */
export async function downloadFile(download: FileDownload): Promise<string> {
  const { client, cache, repository, commit, file } = download;
  const path = cache.snapshot(commit, file);
  if (await exists(path)) return path;
  const request: HubRequest = { repository, file, path: resolvePath(repository, commit, file) };
  const head = await client.ask({ ...request, method: "HEAD" });
  const etag = (head.header("x-linked-etag") ?? head.header("etag") ?? "").replace(/^W\//, "").replaceAll('"', "");
  const bytes = Number(head.header("x-linked-size") ?? head.header("content-length") ?? Number.NaN);
  if (!/^[\w.-]+$/.test(etag) || !Number.isSafeInteger(bytes)) {
    const found = `${file} without ${Number.isSafeInteger(bytes) ? "a usable ETag" : "a size"}`;
    const fix = `look at the file in ${client.settings.endpoint}`;
    throw new HubError(
      "server",
      problem({ cannot: downloadOf(repository), found, expected: "both in its headers", fix }),
    );
  }
  const blob = cache.blob(etag);
  if (!(await exists(blob))) await fetchBlob({ ...download, request, blob, etag, bytes });
  return cache.link(commit, file, etag);
}

function resolvePath({ kind, name }: RepositoryName, commit: string, file: string): string {
  const escaped = file.split("/").map(encodeURIComponent).join("/");
  return `/${kind === "dataset" ? "datasets/" : ""}${name}/resolve/${commit}/${escaped}`;
}

interface BlobDownload extends FileDownload {
  readonly request: HubRequest;
  readonly blob: string;
  readonly etag: string;
  readonly bytes: number;
}

async function fetchBlob(download: BlobDownload): Promise<void> {
  const { blob, repository } = download;
  try {
    await mkdir(dirname(blob), { recursive: true });
    const partial = await claimPartial(blob);
    try {
      await receive(download, partial);
      await rename(partial, blob);
    } catch (error) {
      // Nobody else's claim: the next attempt, in any process, goes on from here.
      if (await exists(partial)) await rename(partial, `${blob}.incomplete`);
      throw error;
    }
  } catch (error) {
    const said = diskProblem(downloadOf(repository), error);
    throw said === error ? error : new HubError("disk", (said as Error).message, { cause: error });
  }
}

// What another attempt left is ours by renaming it, which only one process can do; a dead one's claim is taken over.
async function claimPartial(blob: string): Promise<string> {
  const own = `${blob}.${process.pid}.incomplete`;
  const names = await readdir(dirname(blob));
  for (const name of names) {
    const owner =
      name.startsWith(`${basename(blob)}.`) && /^\.(?:(\d{1,7})\.)?incomplete$/.exec(name.slice(basename(blob).length));
    if (!owner || (owner[1] !== undefined && isAlive(Number(owner[1])))) continue;
    const claimed = await rename(join(dirname(blob), name), own).then(
      () => true,
      () => false,
    );
    if (claimed) break;
  }
  return own;
}

async function receive(download: BlobDownload, partial: string): Promise<void> {
  const { client, repository, bytes, etag, file } = download;
  const { tries, wait, endpoint } = client.settings;
  const target = await open(partial, "a+");
  try {
    const started = (await target.stat()).size;
    await checkSpace(download, dirname(partial), bytes - started);
    let failures = 0;
    for (let have = started; have < bytes; ) {
      const before = have;
      const broken = await receiveOnce(download, target).catch((error: unknown) => {
        // Only a connection may break and go on; a full disk or a refusal ends it.
        if (error instanceof HubError || (error as NodeJS.ErrnoException).syscall === "write") throw error;
        return error;
      });
      have = (await target.stat()).size;
      if (have >= bytes) break;
      failures = have > before ? 1 : failures + 1;
      if (failures >= tries) throw unreachable(endpoint, repository, broken ?? new Error("it ended early"));
      await wait(2 ** (failures - 2));
    }
    await target.sync();
    const fault = await faultOf(partial, bytes, etag);
    if (fault === undefined) return;
    await rm(partial);
    const fix = "run again; the damaged file was deleted";
    const cannot = downloadOf(repository);
    throw new HubError(
      "damaged",
      problem({ cannot, found: `${file} with ${fault.found}`, expected: fault.expected, fix }),
    );
  } finally {
    await target.close();
  }
}

// Appends what is missing; returns early when the server does.
async function receiveOnce(
  { client, request, onProgress, file, repository, bytes }: BlobDownload,
  target: FileHandle,
): Promise<void> {
  let have = (await target.stat()).size;
  const answer = await client.ask({ ...request, from: have, tries: 1 });
  const begins = Number(/^bytes (\d+)-/.exec(answer.header("content-range") ?? "")?.[1] ?? 0);
  // A server that knows no ranges, or no longer this one, starts over.
  if (answer.status === 416 || begins !== have) {
    await target.truncate();
    have = 0;
    if (answer.status === 416 || begins !== 0) {
      await answer.body.dump();
      return;
    }
  }
  let said = -PROGRESS_BYTES;
  for await (const piece of answer.body) {
    await target.appendFile(piece as Uint8Array);
    have += (piece as Uint8Array).length;
    if (have - said < PROGRESS_BYTES && have < bytes) continue;
    said = have;
    onProgress?.({ type: "download", repository: repository.name, file, receivedBytes: have, totalBytes: bytes });
  }
}

async function checkSpace({ repository, file }: BlobDownload, folder: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (needed <= free) return;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toLocaleString("en", { maximumFractionDigits: 2 })} GB`;
  const found = `${gigabytes(free)} free in ${folder}`;
  const expected = `${gigabytes(needed)} for ${file}`;
  const fix = "free some space, or set HF_HUB_CACHE to a folder on a larger disk";
  throw new HubError("disk", problem({ cannot: downloadOf(repository), found, expected, fix }));
}

async function faultOf(
  path: string,
  bytes: number,
  etag: string,
): Promise<{ found: string; expected: string } | undefined> {
  const { size } = await stat(path);
  const count = (value: number) => `${value.toLocaleString("en")} bytes`;
  if (size !== bytes) return { found: count(size), expected: count(bytes) };
  const name = etag.length === 64 ? "sha256" : "sha1";
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(etag)) return undefined;
  const hash = createHash(name);
  if (name === "sha1") hash.update(`blob ${bytes}\0`);
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece as Uint8Array);
  const found = hash.digest("hex");
  return found === etag ? undefined : { found: `hash ${found}`, expected: etag };
}
