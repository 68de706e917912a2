/**
 * Where the package lies on disk. In: nothing. Out: absolute paths of the folders that travel with Fledge (datasets,
 * models, fonts of dependencies). The compiled file is `dist/src/paths.js`, so the root is found by its package.json.
 */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that holds Fledge's package.json. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!isFledge(folder)) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`No package.json named "fledge" above ${fileURLToPath(import.meta.url)}.`);
    folder = parent;
  }
  return folder;
}

/** Where Fledge keeps what can be made again: `FLEDGE_CACHE`, else `fledge` in `XDG_CACHE_HOME`, which is ~/.cache. */
export function fledgeCache(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const { FLEDGE_CACHE, XDG_CACHE_HOME } = environment;
  return resolve(FLEDGE_CACHE || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "fledge"));
}

function isFledge(folder: string): boolean {
  const file = join(folder, "package.json");
  return existsSync(file) && JSON.parse(readFileSync(file, "utf8")).name === "fledge";
}
