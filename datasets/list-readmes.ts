/**
 * Writes datasets/readmes/packages.json: which packages' README files make up the embedded set "readmes". In: the lockfile and
 * node_modules. Out: name, file, version, licence and SHA-256 of each. Run it after the dependencies have changed:
 * `npm run build && node dist/datasets/list-readmes.js`. It takes only what every platform installs, under a permissive licence.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../src/paths.js";

interface LockEntry {
  readonly version: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
}

const licences = ["MIT", "Apache-2.0", "BSD-3-Clause", "BSD-2-Clause", "ISC", "CC0-1.0", "0BSD"];
const leastBytes = 500;

const root = packageRoot();
const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
  packages: Record<string, LockEntry>;
};
const everywhere = ({ os, cpu }: LockEntry) =>
  !cpu && (!os || ["linux", "darwin", "win32"].every((platform) => os.includes(platform)));
const rows = Object.entries(packages).flatMap(([path, entry]) => {
  const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path)?.[1];
  if (!name || entry.dev || entry.optional || entry.devOptional || !everywhere(entry)) return [];
  if (!licences.includes(entry.license ?? "") || !existsSync(join(root, path))) return [];
  const file = readdirSync(join(root, path)).find((candidate) => /^readme\.md$/i.test(candidate));
  const bytes = file && readFileSync(join(root, path, file));
  if (!bytes || bytes.length < leastBytes) return [];
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return [{ name, file, version: entry.version, licence: entry.license, sha256 }];
});
// As Biome formats it.
writeFileSync(join(root, "datasets", "readmes", "packages.json"), `${JSON.stringify(rows, null, 2)}\n`);
console.log(`${rows.length} packages`);
