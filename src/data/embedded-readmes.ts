/**
 * The embedded set "readmes": the README files of the packages that Fledge installs, a stand-in for `stas/openwebtext-10k` where
 * there is no network: many short documents by many hands, with markup, code and repeats, as pages of the web have them. In:
 * the list in datasets/readmes. Out: documents, each compared with its hash.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { problem } from "../message.js";
import { packageRoot } from "../paths.js";
import type { Dataset, Document } from "./dataset.js";

/** A line of datasets/readmes/packages.json. */
interface ListedReadme {
  readonly name: string;
  readonly file: string;
  readonly version: string;
  readonly licence: string;
  readonly sha256: string;
}

/**
 * Reads the README files.
 *
 * @param root folder that holds node_modules and datasets; default Fledge's own
 * @throws Error when a package is missing or another version of it is installed
 */
export async function loadReadmes(root: string = packageRoot()): Promise<Omit<Dataset, "sha256">> {
  const list = JSON.parse(await readFile(join(root, "datasets", "readmes", "packages.json"), "utf8")) as ListedReadme[];
  return {
    name: "readmes",
    documents: await Promise.all(list.map((listed) => readReadme(listed, root))),
    origin: `README files of ${list.length} npm packages that Fledge installs, listed in datasets/readmes/packages.json`,
    licence: "MIT, Apache-2.0, BSD, ISC or CC0-1.0, as each document's licence says",
  };
}

async function readReadme({ name, file, version, licence, sha256 }: ListedReadme, root: string): Promise<Document> {
  const bytes = await readFile(join(root, "node_modules", name, file)).catch(() => undefined);
  const found = bytes && createHash("sha256").update(bytes).digest("hex");
  if (!bytes || found !== sha256) {
    throw new Error(
      problem({
        cannot: 'load dataset "readmes"',
        found: bytes ? `another ${file} of ${name}, SHA-256 ${found}` : `no ${name} in node_modules`,
        expected: `that of version ${version}`,
        fix: 'run "npm ci" in the folder of Fledge',
      }),
    );
  }
  return { id: name, text: bytes.toString("utf8").trim(), version, licence };
}
