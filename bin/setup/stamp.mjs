// @ts-check
/**
 * Remembers what is already set up, so that a second run takes a moment. In: files. Out: sha256 keys, kept by step in
 * `.fledge/setup.json`. A missing or damaged stamp file only costs time: the step runs again. Node packages need no stamp:
 * npm leaves its own record of what it installed.
 */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * @param {string} file of stamps
 * @returns {Record<string, string>} step → key; empty when there is no readable file
 */
export function readStamps(file) {
  try {
    const stamps = JSON.parse(readFileSync(file, "utf8"));
    return typeof stamps === "object" && stamps !== null && !Array.isArray(stamps) ? stamps : {};
  } catch {
    return {};
  }
}

/**
 * Sets the key of one step and keeps the others; whole or not at all.
 *
 * @param {string} file of stamps
 * @param {string} step
 * @param {string} key
 */
export function writeStamp(file, step, key) {
  mkdirSync(dirname(file), { recursive: true });
  const part = `${file}.part`;
  writeFileSync(part, `${JSON.stringify({ ...readStamps(file), [step]: key }, null, 2)}\n`);
  renameSync(part, file);
}

/**
 * @param {readonly string[]} files contents are hashed; a missing one counts as empty
 * @param {readonly string[]} [facts] other things the step depends on, such as the version of Node
 * @returns {string} sha256, hexadecimal
 */
export function keyOfFiles(files, facts = []) {
  const hash = createHash("sha256");
  for (const fact of facts) hash.update(`${fact}\0`);
  for (const file of files) hash.update(existsSync(file) ? readFileSync(file) : "").update("\0");
  return hash.digest("hex");
}

/**
 * A key over names, sizes and times of all sources: quick, and wrong only towards building once too often.
 *
 * @param {string} root
 * @param {readonly string[]} entries folders (searched for `extensions`) and files, relative to root
 * @param {readonly string[]} extensions
 * @returns {string} sha256, hexadecimal
 */
export function keyOfTree(root, entries, extensions) {
  const hash = createHash("sha256");
  const visit = (/** @type {string} */ path) => {
    const stat = statSync(join(root, path), { throwIfNoEntry: false });
    if (stat?.isDirectory()) {
      for (const name of readdirSync(join(root, path)).sort()) {
        if (name !== "node_modules") visit(`${path}/${name}`);
      }
    } else if (stat && (entries.includes(path) || extensions.some((extension) => path.endsWith(extension)))) {
      hash.update(`${path}\0${stat.size}\0${stat.mtimeMs}\0`);
    }
  };
  for (const entry of entries) visit(entry);
  return hash.digest("hex");
}

/**
 * Compares the lockfile with npm's own record of what is installed.
 *
 * @param {string} root holds package-lock.json and node_modules
 * @returns {boolean} true when every package that this machine needs is there in the locked version. Packages for other
 *   platforms are optional and may be absent; an `npm ci` that was cut short leaves no record.
 */
export function nodePackagesMatch(root) {
  try {
    const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
    const found = JSON.parse(readFileSync(join(root, "node_modules", ".package-lock.json"), "utf8")).packages;
    return Object.entries(wanted).every(([path, entry]) => {
      if (path === "") return true;
      const installed = found[path];
      if (!installed) return Boolean(entry.optional || entry.devOptional || entry.peer);
      return (
        installed.version === entry.version && installed.integrity === entry.integrity && existsSync(join(root, path))
      );
    });
  } catch {
    return false;
  }
}
