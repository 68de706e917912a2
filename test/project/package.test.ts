/** What Fledge depends on: exact, few, in use, free to use, and installable offline from any mirror. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../src/paths.js";
import { factsOf, filesBelow, textOf } from "./sources.js";

/** A part of package.json, here and in node_modules. */
interface Manifest {
  readonly version?: string;
  readonly license?: string;
  readonly files?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const manifest: Manifest = JSON.parse(textOf("package.json"));
const dependencies: Readonly<Record<string, string>> = {
  ...manifest.dependencies,
  ...manifest.optionalDependencies,
  ...manifest.devDependencies,
};

const PERMISSIVE = ["Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "CC0", "CC0-1.0", "0BSD"];

/** Licences that are not on the list but free for our use, with the reason. */
const OTHER_LICENCES: Readonly<Record<string, string>> = {
  "@resvg/resvg-js": "MPL-2.0: its copyleft ends at its own files, which are used unchanged",
  zeromq: "MIT AND MPL-2.0: as above, for the libzmq inside",
  "dejavu-fonts-ttf": "SEE LICENSE IN README.md AND LICENSE",
};

/** Packages that no source imports by name, with what they are here for. */
const USED_OTHERWISE: Readonly<Record<string, string>> = {
  "@biomejs/biome": "lint and format, started by bin/setup/test.mjs",
  "@types/node": "types for the compiler",
  cspell: "reads pages and notebooks for spelling, started by `npm run spell`",
  tslab: "the other TypeScript kernel: its API is ours too, and the course is meant to pass on it",
  typedoc: "makes the API reference, started by `npm run docs`",
  "playwright-core": "drives a real JupyterLab for screenshots",
};

test("package.json names exact versions only", () => {
  for (const [name, version] of Object.entries(dependencies)) {
    assert.match(version, /^(npm:@?[\w./-]+@)?\d+\.\d+\.\d+$/, name);
  }
});

test("requirements files name exact versions only", () => {
  for (const file of ["requirements.txt", "requirements-test.txt"]) {
    for (const line of textOf(file)
      .split("\n")
      .filter((text) => text !== "" && !text.startsWith("#"))) {
      assert.match(line, /^(-r requirements\.txt|[\w-]+==\d+(\.\d+)+( ; .+)?)$/, file);
    }
  }
});

test("package-lock.json holds no addresses, so that any mirror serves it", () => {
  assert.doesNotMatch(textOf("package-lock.json"), /"resolved":/);
});

test("package-lock.json covers every platform: a package's optional builds are all in it", () => {
  const packages: Record<string, Manifest> = JSON.parse(textOf("package-lock.json")).packages;
  const biome = packages["node_modules/@biomejs/biome"]?.optionalDependencies ?? {};
  assert.ok(Object.keys(biome).length > 0);
  for (const name of Object.keys(biome))
    assert.ok(packages[`node_modules/${name}`], `${name} is missing: npm ci refuses that`);
});

test(".npmrc keeps install scripts off and addresses out of the lockfile", () => {
  const lines = textOf(".npmrc").split("\n");
  assert.ok(lines.includes("ignore-scripts=true"));
  assert.ok(lines.includes("omit-lockfile-registry-resolved=true"));
});

test("every dependency is imported, or here for a reason written down", () => {
  const folders = ["src", "kernel", "bin", "test", "bench", "datasets", "models"];
  const strings = filesBelow(folders, [".ts", ".mjs"])
    .filter((path) => !path.startsWith("test/project/"))
    .flatMap((path) => factsOf(path).strings);
  const used = (name: string) => strings.some((text) => `/${text}/`.includes(`/${name}/`));
  const unused = Object.keys(dependencies).filter((name) => !used(name) && !(name in USED_OTHERWISE));
  assert.deepEqual(unused, []);
  assert.deepEqual(
    Object.keys(USED_OTHERWISE).filter((name) => !(name in dependencies)),
    [],
    "no reason outlives its package",
  );
});

test("every direct dependency has a permissive licence", () => {
  for (const name of Object.keys(dependencies)) {
    const file = join("node_modules", name, "package.json");
    if (name in (manifest.optionalDependencies ?? {}) && !existsSync(join(packageRoot(), file))) continue;
    const { license = "none named" }: Manifest = JSON.parse(textOf(file));
    const accepted =
      OTHER_LICENCES[name]?.startsWith(license) || license.split(" OR ").some((one) => PERMISSIVE.includes(one));
    assert.ok(accepted, `${name}: ${license}`);
  }
});

test("every entry of package.json's files exists", () => {
  for (const path of manifest.files ?? []) assert.ok(existsSync(join(packageRoot(), path)), path);
});
