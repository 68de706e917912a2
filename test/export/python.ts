/** Python's transformers as an oracle: runs a script of this folder in the project's .venv and reads the JSON that it prints. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { packageRoot } from "../../src/paths.js";

const run = promisify(execFile);
const python = join(packageRoot(), ".venv/bin/python");
const env = { ...process.env, HF_HUB_OFFLINE: "1", TRANSFORMERS_VERBOSITY: "error" };

/** What load_folder.py prints. */
export interface LoadedFolder {
  readonly logits: readonly number[];
  readonly greedy: readonly number[];
  readonly textIds: readonly number[];
  readonly texts: readonly string[];
  readonly endOfText: readonly [token: string, id: number];
  /** Weights that Python looked for in vain, or did not know. */
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
}

/**
 * Why the scripts cannot run, or undefined when they can.
 *
 * @param modules what the script imports: `torch, transformers`
 */
export async function missingPython(modules: string): Promise<string | undefined> {
  return run(python, ["-c", `import ${modules}`], { env }).then(
    () => undefined,
    () => `Python's ${modules} are not installed: pip install -r requirements-test.txt`,
  );
}

/** What the script printed; it fails with what the script said on stderr. */
export async function askPython<Answer>(script: string, ...words: string[]): Promise<Answer> {
  const path = join(packageRoot(), "test/export", script);
  const { stdout } = await run(python, [path, ...words], { env, maxBuffer: 1 << 28 });
  return JSON.parse(stdout) as Answer;
}
