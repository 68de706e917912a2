/**
 * The cache that Fledge shares with Python's huggingface_hub. In: a repository, a commit, a file. Out: paths, and what is
 * there already. Layout: `models--owner--name/` with `refs/<revision>` (a commit), `blobs/<etag>` (the bytes) and
 * `snapshots/<commit>/<file>` (links to blobs). It knows no network. `.fledge/<commit>.json` is ours: all files of a commit,
 * so that a download cut short is not taken for the whole.
 * Layout: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
 */
import { copyFile, mkdir, readdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { exists, writeFileAtomic } from "../files.js";
import { problem } from "../message.js";
import { downloadOf, HubError, type RepositoryName } from "./errors.js";

/** A file of a repository as the Hub lists it. */
export interface ListedFile {
  readonly path: string;
  readonly bytes?: number;
}

/** One repository in the cache. */
export class RepositoryCache {
  readonly folder: string;

  constructor(
    cacheFolder: string,
    private readonly repository: RepositoryName,
  ) {
    const { kind, name } = repository;
    this.folder = join(cacheFolder, `${kind}s--${name.replaceAll("/", "--")}`);
  }

  /** Where a file's link lies, whether it is there or not. */
  snapshot(commit: string, file = "."): string {
    return join(this.folder, "snapshots", commit, file);
  }

  /** Where the bytes of a file lie. */
  blob(etag: string): string {
    return join(this.folder, "blobs", etag);
  }

  /** The commit that a revision stood for when it was last asked for. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return (await exists(this.snapshot(revision))) ? revision : undefined;
    const commit = await readFile(join(this.folder, "refs", revision), "utf8").catch(() => "");
    return isCommit(commit.trim()) ? commit.trim() : undefined;
  }

  /** Remembers which commit a revision stands for, and which files that has. */
  async remember(revision: string, commit: string, files: readonly ListedFile[]): Promise<void> {
    await this.#write(join(this.folder, ".fledge", `${commit}.json`), JSON.stringify(files));
    if (isCommit(revision) || (await this.commitOf(revision)) === commit) return;
    await this.#write(join(this.folder, "refs", revision), commit);
  }

  /** All files of a commit, or those that are here when nobody knows of others. */
  async files(commit: string): Promise<readonly ListedFile[]> {
    const listed = await readFile(join(this.folder, ".fledge", `${commit}.json`), "utf8").catch(() => undefined);
    if (listed !== undefined) return JSON.parse(listed) as ListedFile[];
    const folder = this.snapshot(commit);
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => ({ path: relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/") }));
  }

  /** Puts a link to a blob where the snapshot has the file; a copy where the system knows no links. */
  async link(commit: string, file: string, etag: string): Promise<string> {
    const path = this.snapshot(commit, file);
    await mkdir(dirname(path), { recursive: true });
    const beside = `${path}.${process.pid}.link`;
    await rm(beside, { force: true });
    await symlink(relative(dirname(path), this.blob(etag)), beside).catch(() => copyFile(this.blob(etag), beside));
    await rename(beside, path);
    return path;
  }

  async #write(path: string, content: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true }).catch((error: NodeJS.ErrnoException) => {
      const found = `${dirname(path)} cannot be made (${error.code})`;
      const fix = "make it writable, or set HF_HUB_CACHE to a folder that is";
      const text = problem({
        cannot: downloadOf(this.repository),
        found,
        expected: "a cache that can be written",
        fix,
      });
      throw new HubError("disk", text, { cause: error });
    });
    await writeFileAtomic(path, content);
  }
}

/** Whether a revision is a whole commit hash. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}
