/** The Hub client against a Hub on loopback: what it brings, how it goes on after a break, and how it words each refusal. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { createServer, request as httpRequest } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { DownloadProgress } from "../../src/hub/download.js";
import type { HubFault } from "../../src/hub/errors.js";
import { openRepository, readCard } from "../../src/hub/repository.js";
import { type HubSettings, hubSettings } from "../../src/hub/settings.js";
import { commitOf, gitHash, type ServedRepository, startHub } from "../hub-server.js";

const weights = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 7 + (i >> 8)) & 255));
const sha256 = createHash("sha256").update(weights).digest("hex");
const files: ServedRepository["files"] = {
  "config.json": '{"model_type":"gpt2"}',
  "model.safetensors": weights,
  "a folder/ü #1.txt": "text",
  "README.md": "---\nlicense: mit\ntags:\n- a\n---\n# Model\n",
};
const hub = await startHub({
  "models/openai-community/gpt2": { files, revisions: { "refs/pr/2": { "config.json": "{}" }, v1: files } },
  "models/gpt2": { files: {}, renamedTo: "openai-community/gpt2" },
  "models/openai/gpt2": { files: {}, renamedTo: "openai-community/gpt2", renamedBy: 301 },
  "models/loop/a": { files: {}, renamedTo: "loop/a" },
  "models/gated/model": { files, gatedFor: ["hf_friend"] },
  "datasets/owner/texts": { files: { "train.jsonl": '{"text":"a"}\n' } },
  "models/evil/model": { files: { "../../escaped.txt": "no" } },
});
const scratch = await mkdtemp(join(tmpdir(), "fledge-hub-"));
after(async () => {
  await hub.close();
  await rm(scratch, { recursive: true });
});

let caches = 0;
function settings(changes: Partial<HubSettings> = {}): HubSettings & { waits: number[] } {
  const waits: number[] = [];
  const wait = async (seconds: number) => void waits.push(seconds);
  const base = hubSettings({ HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: join(scratch, `cache-${caches++}`) });
  hub.requests.length = 0;
  hub.fault = () => undefined;
  return { ...base, wait, waits, ...changes };
}

const gpt2 = { kind: "model", name: "openai-community/gpt2", revision: "main" } as const;
const weightsRequested = ({ method, atStore }: { method: string; atStore: boolean }) => method === "GET" && atStore;

/** Opens, fetches and closes. */
async function fetchFile(file: string, of: HubSettings, repository: Parameters<typeof openRepository>[0] = gpt2) {
  const opened = await openRepository(repository, { settings: of });
  try {
    return await opened.fetch(file);
  } finally {
    await opened.close();
  }
}

test("openRepository() keeps files as huggingface_hub does: refs, blobs by ETag, snapshots of relative links", async () => {
  const at = settings();
  const progress: DownloadProgress[] = [];
  const repository = await openRepository(gpt2, { settings: at, onProgress: (event) => progress.push(event) });
  const commit = commitOf(files);
  assert.equal(repository.commit, commit);
  assert.equal(repository.origin, `${hub.endpoint}/openai-community/gpt2, revision main, commit ${commit}`);
  assert.deepEqual(repository.files[1], { path: "model.safetensors", bytes: weights.length });
  assert.deepEqual(await readFile(await repository.fetch("model.safetensors")), weights);
  assert.equal(await readFile(await repository.fetch("a folder/ü #1.txt"), "utf8"), "text");
  assert.deepEqual(await readCard(repository), { licence: "mit", fields: { license: "mit", tags: ["a"] } });
  await repository.close();
  const folder = join(at.cacheFolder, "models--openai-community--gpt2");
  assert.equal(await readFile(join(folder, "refs/main"), "utf8"), commit);
  assert.equal(await readlink(join(folder, "snapshots", commit, "model.safetensors")), `../../blobs/${sha256}`);
  const small = await readlink(join(folder, "snapshots", commit, "a folder/ü #1.txt"));
  assert.equal(small, `../../../blobs/${gitHash(Buffer.from("text"))}`);
  assert.deepEqual(progress[0]?.totalBytes, weights.length);
  assert.deepEqual(progress.find(({ file }) => file === "model.safetensors")?.repository, "openai-community/gpt2");
  assert.ok(
    progress.some(({ file, receivedBytes }) => file === "model.safetensors" && receivedBytes === weights.length),
  );
});

test("openRepository() asks once more for a revision and not again for its files", async () => {
  const at = settings();
  await fetchFile("model.safetensors", at);
  hub.requests.length = 0;
  await fetchFile("model.safetensors", at);
  assert.deepEqual(
    hub.requests.map(({ path }) => path),
    ["/api/models/openai-community/gpt2/revision/main?blobs=true"],
  );
});

test("openRepository() takes pull requests, tags and commits for revisions", async () => {
  const at = settings();
  for (const revision of ["refs/pr/2", "v1", commitOf(files)]) {
    const path = await fetchFile("config.json", at, { ...gpt2, revision });
    assert.equal(await readFile(path, "utf8"), revision === "refs/pr/2" ? "{}" : files["config.json"]);
  }
  const refs = await readdir(join(at.cacheFolder, "models--openai-community--gpt2/refs"), { recursive: true });
  assert.ok(refs.includes("refs/pr/2"));
});

for (const [name, status] of [["gpt2", 307] as const, ["openai/gpt2", 301] as const]) {
  test(`openRepository() follows a repository renamed by ${status} and says its present name`, async () => {
    const at = settings();
    const repository = await openRepository({ ...gpt2, name }, { settings: at });
    assert.ok(repository.origin.includes(`/${name}, now openai-community/gpt2, revision main`), repository.origin);
    assert.deepEqual(repository.notes, [
      `The model "${name}" is called "openai-community/gpt2" now. Use that name: another may take the old one.`,
    ]);
    assert.deepEqual(await readFile(await repository.fetch("model.safetensors")), weights);
    await repository.close();
    assert.deepEqual(await readdir(at.cacheFolder), [`models--${name.replace("/", "--")}`]);
  });
}

test("openRepository() sends the token to the Hub and never to the store that it redirects to", async () => {
  await fetchFile("model.safetensors", settings({ token: "hf_secret" }));
  assert.ok(hub.requests.some(({ atStore }) => atStore));
  for (const { atStore, authorization } of hub.requests) {
    assert.equal(authorization, atStore ? undefined : "Bearer hf_secret");
  }
});

test("fetch() goes on after cut connections where they broke, and the file is whole", async () => {
  const at = settings();
  let cuts = 3;
  hub.fault = (request) => (weightsRequested(request) && cuts-- > 0 ? { cutAfter: 50_000 } : undefined);
  assert.deepEqual(await readFile(await fetchFile("model.safetensors", at)), weights);
  const ranges = hub.requests.filter(weightsRequested).map(({ range }) => range);
  assert.deepEqual(ranges, [undefined, "bytes=50000-", "bytes=100000-", "bytes=150000-"]);
});

test("fetch() gives up after five attempts without progress, keeps what arrived, and a later call goes on from there", async () => {
  const at = settings();
  let first = true;
  hub.fault = (request) => {
    if (!weightsRequested(request)) return undefined;
    const fault = { cutAfter: first ? 60_000 : 0 };
    first = false;
    return fault;
  };
  await assert.rejects(fetchFile("model.safetensors", at), { name: "HubError", fault: "unreachable" });
  assert.equal(at.waits.length, 4);
  const blobs = join(at.cacheFolder, "models--openai-community--gpt2/blobs");
  assert.deepEqual(await readdir(blobs), [`${sha256}.incomplete`]);
  hub.fault = () => undefined;
  hub.requests.length = 0;
  assert.deepEqual(await readFile(await fetchFile("model.safetensors", at)), weights);
  assert.equal(hub.requests.find(weightsRequested)?.range, "bytes=60000-");
  assert.deepEqual(await readdir(blobs), [sha256]);
});

test("fetch() takes over what a killed process left, and leaves alone what a living one writes", async () => {
  const at = settings();
  const blobs = join(at.cacheFolder, "models--openai-community--gpt2/blobs");
  await mkdir(blobs, { recursive: true });
  await writeFile(join(blobs, `${sha256}.4194303.incomplete`), weights.subarray(0, 1234));
  await writeFile(join(blobs, `${sha256}.1.incomplete`), "of process 1, which lives");
  assert.deepEqual(await readFile(await fetchFile("model.safetensors", at)), weights);
  assert.equal(hub.requests.find(weightsRequested)?.range, "bytes=1234-");
  assert.deepEqual(await readdir(blobs), [sha256, `${sha256}.1.incomplete`]);
});

test("fetch() starts over where a server knows no ranges, and after a remainder that is too long", async () => {
  for (const left of [weights.subarray(0, 500), Buffer.concat([weights, weights])]) {
    const at = settings();
    const blobs = join(at.cacheFolder, "models--openai-community--gpt2/blobs");
    await mkdir(blobs, { recursive: true });
    await writeFile(join(blobs, `${sha256}.incomplete`), left);
    hub.fault = (request) => (weightsRequested(request) ? { whole: true } : undefined);
    if (left.length > weights.length) await assert.rejects(fetchFile("model.safetensors", at), { fault: "damaged" });
    assert.deepEqual(await readFile(await fetchFile("model.safetensors", at)), weights);
  }
});

test("fetch() refuses bytes that are not those announced, and keeps nothing of them", async () => {
  for (const [file, isWanted] of [
    ["model.safetensors", weightsRequested],
    [
      "config.json",
      ({ path, method }: { path: string; method: string }) => method === "GET" && path.endsWith("config.json"),
    ],
  ] as const) {
    const at = settings();
    hub.fault = (request) => (isWanted(request as never) ? { flip: true } : undefined);
    await assert.rejects(fetchFile(file, at), {
      fault: "damaged",
      message:
        /^Cannot download model "openai-community\/gpt2": .+ with hash [0-9a-f]+, expected [0-9a-f]+\. Fix: run again; the damaged file was deleted\.$/,
    });
    assert.deepEqual(await readdir(join(at.cacheFolder, "models--openai-community--gpt2/blobs")), []);
  }
});

test("fetch() refuses a file that the disk has no room for, before it writes a byte", async () => {
  const at = settings();
  hub.fault = ({ method, path }) =>
    method === "HEAD" && path.endsWith("config.json")
      ? { status: 200, headers: { etag: '"e"', "content-length": "9000000000000000" } }
      : undefined;
  await assert.rejects(fetchFile("config.json", at), {
    fault: "disk",
    message:
      /: [\d.,]+ GB free in .+blobs, expected 9,000,000 GB for config\.json\. Fix: free some space, or set HF_HUB_CACHE/,
  });
});

test("openRepository() waits as long as the Hub asks, and for 5xx twice as long each time", async () => {
  const at = settings();
  const answers = [
    { status: 429, headers: { "retry-after": "7" } },
    { status: 429, headers: { "retry-after": "Wed, 21 Oct 2015 07:28:09 GMT", date: "Wed, 21 Oct 2015 07:28:00 GMT" } },
    { status: 503 },
    { status: 500 },
  ];
  hub.fault = () => answers.shift();
  await (await openRepository(gpt2, { settings: at })).close();
  assert.deepEqual(at.waits, [7, 9, 2, 4]);
});

const refused: [criterion: string, fault: HubFault, ask: () => Promise<unknown>, message: RegExp][] = [
  [
    "a missing repository",
    "missing",
    () => fetchFile("config.json", settings(), { ...gpt2, name: "no/such" }),
    /^Cannot download model "no\/such": no model of that name that you may see \(HTTP 401\), expected a name as on the Hub\. Fix: check the name at http:.+\/no\/such; if it is private, set HF_TOKEN to a token from http:.+\/settings\/tokens\.$/,
  ],
  [
    "a missing dataset with a token",
    "missing",
    () => fetchFile("a", settings({ token: "hf_a" }), { kind: "dataset", name: "no/such", revision: "main" }),
    /dataset "no\/such": no dataset of that name that you may see \(HTTP 404\), .+Fix: check the name at .+\/datasets\/no\/such\.$/,
  ],
  [
    "a missing revision",
    "no-revision",
    () => fetchFile("config.json", settings(), { ...gpt2, revision: "v9" }),
    /gpt2" at revision "v9": no revision "v9" \(HTTP 404\), expected a branch, tag or commit\. Fix: choose one from .+\/gpt2\/tree\/main\.$/,
  ],
  [
    "a missing file",
    "no-file",
    () => fetchFile("none.bin", settings()),
    /no file none\.bin in it \(HTTP 404\), expected a file of the repository\. Fix: choose one from .+\/gpt2\/tree\/main\.$/,
  ],
  [
    "a gated repository without a token",
    "gated",
    () => fetchFile("config.json", settings(), { ...gpt2, name: "gated/model" }),
    /its owner wants to know who reads it \(HTTP 401\), expected one that you may read\. Fix: accept its terms at .+\/gated\/model, then set HF_TOKEN to/,
  ],
  [
    "a gated repository with another's token",
    "gated",
    () => fetchFile("config.json", settings({ token: "hf_stranger" }), { ...gpt2, name: "gated/model" }),
    /your account has no access yet \(HTTP 403\), .+Fix: ask for it at .+\/gated\/model, then run again\.$/,
  ],
  [
    "a token that is refused",
    "token",
    () => {
      const at = settings({ token: "hf_old" });
      hub.fault = () => ({ status: 401 });
      return fetchFile("config.json", at);
    },
    /your token is refused \(HTTP 401\), expected a valid token\. Fix: make a new one at .+\/settings\/tokens and set HF_TOKEN, or unset it\.$/,
  ],
  [
    "a redirect in circles",
    "redirect",
    () => fetchFile("config.json", settings(), { ...gpt2, name: "loop/a" }),
    /more than 8 redirects, the last to http:.+, expected the file\. Fix: look the repository up at/,
  ],
  [
    "too many requests, for longer than one waits",
    "rate-limited",
    () => {
      const at = settings();
      hub.fault = () => ({ status: 429, headers: { "retry-after": "300" } });
      return fetchFile("config.json", at);
    },
    /too many requests from here, to try again in 300 seconds \(HTTP 429\), expected an answer\. Fix: wait and run again, or set HF_TOKEN to/,
  ],
  [
    "trouble of the Hub's own",
    "server",
    () => {
      const at = settings();
      hub.fault = () => ({ status: 502 });
      return fetchFile("config.json", at);
    },
    /has trouble of its own \(HTTP 502\), expected an answer\. Fix: run again later; what arrived is kept\.$/,
  ],
  [
    "no connection",
    "unreachable",
    () => fetchFile("config.json", settings({ endpoint: "http://127.0.0.1:9" })),
    /no connection to http:\/\/127\.0\.0\.1:9 \(ECONNREFUSED\), expected an answer\. Fix: check the network, or set HTTPS_PROXY behind a proxy, or HF_HUB_OFFLINE=1/,
  ],
  [
    "offline, and not in the cache",
    "offline",
    () => fetchFile("config.json", settings({ offline: true })),
    /it is not in the cache, and HF_HUB_OFFLINE is set, expected it in .+cache-\d+\. Fix: unset HF_HUB_OFFLINE, and run once with a network\.$/,
  ],
  [
    "a file name that leads out of the cache",
    "damaged",
    () => fetchFile("x", settings(), { ...gpt2, name: "evil/model" }),
    /a file named "\.\.\/\.\.\/escaped\.txt", expected a path below the repository\. Fix: choose another repository/,
  ],
  [
    "a revision that leads out of the cache",
    "missing",
    () => fetchFile("x", settings(), { ...gpt2, revision: "../../main" }),
    /the revision "\.\.\/\.\.\/main", expected a branch, tag, refs\/pr\/<number> or commit\. Fix: copy it from its page\.$/,
  ],
  [
    "an endpoint that is no Hub",
    "server",
    () => {
      const at = settings();
      hub.fault = () => ({ status: 200, headers: { "content-type": "application/json" } });
      return fetchFile("config.json", at);
    },
    /an answer of another kind, expected commit and files in JSON\. Fix: check that HF_ENDPOINT http:.+ is a Hub\.$/,
  ],
];
for (const [criterion, fault, ask, message] of refused) {
  test(`openRepository() words ${criterion}`, async () => {
    await assert.rejects(ask(), { name: "HubError", fault, message });
  });
}

test("openRepository() works from the cache when it is offline, and when the Hub cannot be reached", async () => {
  const at = settings();
  await fetchFile("config.json", at);
  for (const away of [{ offline: true }, { endpoint: "http://127.0.0.1:9" }]) {
    hub.requests.length = 0;
    const repository = await openRepository(gpt2, { settings: { ...at, ...away } });
    assert.equal(repository.files.length, Object.keys(files).length, "the files that are not here are known too");
    assert.equal(await readFile(await repository.fetch("config.json"), "utf8"), files["config.json"]);
    await assert.rejects(repository.fetch("model.safetensors"), {
      fault: "offline",
      message: /model\.safetensors not in the cache, and/,
    });
    await repository.close();
    assert.equal(hub.requests.length, 0);
  }
});

test("openRepository() goes through HTTP_PROXY, and past it for the hosts of NO_PROXY", async () => {
  const through: string[] = [];
  const proxy = createServer((request, response) => {
    through.push(request.url ?? "");
    const { method, headers } = request;
    httpRequest(request.url ?? "", { method: method ?? "GET", headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    }).end();
  });
  proxy.on("connect", (request, socket) => {
    through.push(request.url ?? "");
    const { hostname, port } = new URL(`http://${request.url}`);
    const target = connect(Number(port), hostname, () => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      target.pipe(socket).pipe(target);
    });
    for (const side of [target, socket]) side.on("error", () => [target, socket].map((one) => one.destroy()));
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  try {
    await fetchFile("model.safetensors", settings({ proxies: { http: address, https: address, none: "" } }));
    assert.ok(through.length > 0);
    const before = through.length;
    await fetchFile("model.safetensors", settings({ proxies: { http: address, https: address, none: "127.0.0.1" } }));
    assert.equal(through.length, before);
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
});
