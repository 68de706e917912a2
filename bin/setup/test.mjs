// @ts-check
/**
 * Runs the checks: lint and format, types of the plain JavaScript, then all tests with node's own runner, whose summary is
 * the last thing printed. In: words; with words only the test files whose path contains one of them run, and lint is left
 * out. Out: exit code. TypeScript itself was compiled, and so checked, by the set-up.
 */

import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { SetupError } from "./problem.mjs";
import { runForeground } from "./run.mjs";

/** A test that hangs must not hang the run: twice what the slowest, the notebooks in quick mode, may take. */
const TEST_TIMEOUT_MILLISECONDS = 20 * 60_000;

/**
 * The test files to run: compiled TypeScript, and plain JavaScript as it is.
 *
 * @param {readonly string[]} sources paths under the root: "test/data/split.test.ts"
 * @param {readonly string[]} words
 * @returns {string[]} "dist/test/data/split.test.js"; from the sources, so that a stale file in dist is never run
 */
export function testFiles(sources, words) {
  return sources
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => /\.test\.(ts|mjs)$/.test(path))
    .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
    .map((path) => (path.endsWith(".ts") ? `dist/${path.replace(/\.ts$/, ".js")}` : path))
    .sort();
}

/**
 * @param {string} root
 * @param {readonly string[]} words
 * @returns {Promise<number>}
 * @throws {SetupError} when the words name no test
 */
export async function runTests(root, words) {
  const sources = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" }).map((path) => `test/${path}`);
  const files = testFiles(sources, words);
  if (files.length === 0) {
    throw new SetupError({
      cannot: `test ${words.join(" ")}`,
      found: "no test file with that in its path",
      expected: "part of a path under test/",
      fix: "run `npm test` for all, or `npm test -- kernel` for one folder",
    });
  }
  if (words.length === 0) {
    for (const { name, args } of checks()) {
      process.stdout.write(`${name}\n`);
      const code = await runForeground(process.execPath, args, { cwd: root });
      if (code !== 0) return code;
    }
  }
  const concurrency = Math.max(1, Math.min(4, availableParallelism()));
  process.stdout.write(`\n${files.length} test files, ${concurrency} at a time\n`);
  return runForeground(
    process.execPath,
    [
      "--enable-source-maps",
      "--test",
      "--test-reporter=spec",
      "--test-reporter-destination=stdout",
      `--test-concurrency=${concurrency}`,
      `--test-timeout=${TEST_TIMEOUT_MILLISECONDS}`,
      ...files,
    ],
    { cwd: root, env: testEnvironment(process.env) },
  );
}

function checks() {
  return [
    {
      name: "Lint and format (biome)",
      args: [join("node_modules", "@biomejs", "biome", "bin", "biome"), "check", "."],
    },
    { name: "Types of bin/ (tsc)", args: [join("node_modules", "typescript", "bin", "tsc"), "-p", "bin"] },
  ];
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {NodeJS.ProcessEnv} quick mode on, and nothing asks the network for a model
 */
export function testEnvironment(env) {
  return { ...env, FLEDGE_QUICK: "1", HF_HUB_OFFLINE: "1", TRANSFORMERS_OFFLINE: "1", TF_CPP_MIN_LOG_LEVEL: "2" };
}
