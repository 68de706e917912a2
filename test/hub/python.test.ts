/** One cache for two languages: what Fledge has downloaded, Python's huggingface_hub finds offline, and the other way round. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { openRepository } from "../../src/hub/repository.js";
import { hubSettings } from "../../src/hub/settings.js";
import { packageRoot } from "../../src/paths.js";
import { commitOf, startHub } from "../hub-server.js";

const files = {
  "config.json": "{}",
  "data/large.bin": Buffer.alloc(50_000, 7),
  "README.md": "---\nlicense: mit\n---\n",
};
const hub = await startHub({
  "models/owner/name": { files },
  "datasets/texts": { files: {}, revisions: { "refs/pr/2": files } },
});
const scratch = await mkdtemp(join(tmpdir(), "fledge-hub-python-"));
after(async () => {
  await hub.close();
  await rm(scratch, { recursive: true });
});

/** Runs Python with one cache; the last line that it prints is the result, as JSON. */
async function python(cacheFolder: string, offline: boolean, lines: readonly string[]): Promise<unknown> {
  const environment = { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cacheFolder, HF_HUB_OFFLINE: offline ? "1" : "0" };
  const command = join(packageRoot(), process.platform === "win32" ? ".venv/Scripts/python.exe" : ".venv/bin/python");
  const code = ["import json", "from huggingface_hub import *", ...lines].join("\n");
  const { stdout } = await promisify(execFile)(command, ["-c", code], { env: { ...process.env, ...environment } });
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}

const model = { kind: "model", name: "owner/name", revision: "main" } as const;
const dataset = { kind: "dataset", name: "texts", revision: "refs/pr/2" } as const;

test("what openRepository() has fetched, huggingface_hub finds offline and finds sound", async () => {
  const cacheFolder = join(scratch, "ours");
  const settings = hubSettings({ HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cacheFolder });
  for (const name of [model, dataset]) {
    const repository = await openRepository(name, { settings });
    for (const { path } of repository.files) await repository.fetch(path);
    await repository.close();
  }
  hub.requests.length = 0;
  const found = await python(cacheFolder, true, [
    'paths = [hf_hub_download("owner/name", "data/large.bin"), hf_hub_download("texts", "config.json", repo_type="dataset", revision="refs/pr/2")]',
    'whole = snapshot_download("owner/name")',
    `scan = scan_cache_dir(${JSON.stringify(cacheFolder)})`,
    "repos = sorted([[r.repo_id, r.repo_type, r.nb_files, [[v.commit_hash, sorted(v.refs)] for v in r.revisions]] for r in scan.repos])",
    'print(json.dumps([[open(p, "rb").read().hex()[:4] for p in paths], whole, [str(w) for w in scan.warnings], repos]))',
  ]);
  const commit = commitOf(files);
  assert.deepEqual(found, [
    ["0707", "7b7d"],
    join(cacheFolder, "models--owner--name/snapshots", commit),
    [],
    [
      ["owner/name", "model", 3, [[commit, ["main"]]]],
      ["texts", "dataset", 3, [[commit, ["refs/pr/2"]]]],
    ],
  ]);
  assert.equal(hub.requests.length, 0);
});

test("what huggingface_hub has downloaded, openRepository() finds offline, and online it asks for no file again", async () => {
  const cacheFolder = join(scratch, "theirs");
  await python(cacheFolder, false, [
    'print(json.dumps(hf_hub_download("owner/name", "data/large.bin")))',
    'hf_hub_download("owner/name", "config.json")',
    'print(json.dumps(snapshot_download("texts", repo_type="dataset", revision="refs/pr/2")))',
  ]);
  const settings = hubSettings({ HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cacheFolder });
  hub.requests.length = 0;
  const offline = await openRepository(model, { settings: { ...settings, offline: true } });
  assert.deepEqual(offline.files.map(({ path }) => path).sort(), ["config.json", "data/large.bin"]);
  assert.deepEqual(await readFile(await offline.fetch("data/large.bin")), files["data/large.bin"]);
  await offline.close();
  assert.equal(hub.requests.length, 0);
  const online = await openRepository(dataset, { settings });
  for (const { path } of online.files) await online.fetch(path);
  await online.close();
  assert.equal(hub.requests.length, 1);
});
