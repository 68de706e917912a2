/** The server under stress, on the loopback interface: many at once, half of them cut off, garbage, slow readers. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { openModel, TextModel } from "../../src/generate/text-model.js";
import { packageRoot } from "../../src/paths.js";
import { type RunningServer, serve } from "../../src/serve/server.js";
import { characters, config, openGolden } from "../generate/golden-decoder.js";

// What nobody holds any more must not count as memory.
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
const residentBytes = () => {
  collectGarbage();
  return process.memoryUsage.rss();
};

const model = await openModel("fledge-base", { mixedPrecision: false });
const servers: RunningServer[] = [];
const start = async (options: Partial<Parameters<typeof serve>[0]> = {}) => {
  const server = await serve({ model, modelId: "m", port: 0, nextSeed: () => 1, now: () => 0, ...options });
  servers.push(server);
  return server;
};
after(async () => {
  for (const server of servers) await server.close();
  await model.dispose();
});
const post = (url: string, body: unknown, init: RequestInit = {}) =>
  fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...init,
  });

test("200 requests at once, half of them cut off: each is answered or told to come again, and none stays", async () => {
  const { url } = await start();
  const round = async () => {
    const statuses = new Map<string, number>();
    const count = (status: string) => statuses.set(status, (statuses.get(status) ?? 0) + 1);
    const one = async (i: number) => {
      const stopping = new AbortController();
      const cut = i % 2 === 1;
      if (cut) setTimeout(() => stopping.abort(), (i * 7) % 300);
      try {
        const response = await post(
          url,
          { prompt: "The", max_tokens: cut ? 400 : 5, stream: i % 4 < 2 },
          { signal: stopping.signal },
        );
        await response.text();
        count(String(response.status));
        if (response.status === 429) assert.equal(response.headers.get("retry-after"), "2");
      } catch (error) {
        assert.ok(cut, String(error));
        count("cut off");
      }
    };
    await Promise.all(Array.from({ length: 200 }, (_, i) => one(i)));
    return statuses;
  };
  // Four turns make four caches, once.
  const warmUp = Array.from({ length: 4 }, async () => {
    const stopping = new AbortController();
    const response = await post(url, { prompt: "The", max_tokens: 400, stream: true }, { signal: stopping.signal });
    const first = await response.body?.getReader().read();
    return { stopping, first };
  });
  for (const { stopping } of await Promise.all(warmUp)) stopping.abort();
  const statuses = await round();
  assert.deepEqual(
    [...statuses.keys()].filter((status) => !["200", "429", "cut off"].includes(status)),
    [],
  );
  assert.ok((statuses.get("200") ?? 0) >= 30, "those that ran and waited");
  assert.ok((statuses.get("429") ?? 0) > 0, "those for whom there was no place");
  assert.ok((statuses.get("cut off") ?? 0) > 0);
  // All turns were given back: a later request is served at once.
  assert.equal((await post(url, { prompt: "The", max_tokens: 2 })).status, 200);
  const before = residentBytes();
  for (let i = 0; i < 3; i++) await round();
  const grown = residentBytes() - before;
  assert.ok(grown < 60e6, `memory grew by ${Math.round(grown / 1e6)} MB over 600 requests`);
});

test("a client that leaves ends its generation, and one that waits gives up its place", async () => {
  const { url } = await start({ concurrency: 1, waiting: 1 });
  const first = new AbortController();
  const running = await post(url, { prompt: "The", max_tokens: 500, stream: true }, { signal: first.signal });
  const second = new AbortController();
  const waiting = post(url, { prompt: "The", max_tokens: 2 }, { signal: second.signal });
  await new Promise((resolve) => setTimeout(resolve, 50));
  const busy = await post(url, { prompt: "The", max_tokens: 2 });
  assert.equal(busy.status, 429);
  const { error } = (await busy.json()) as { error: { message: string; code: string } };
  assert.equal(error.code, "rate_limit_exceeded");
  assert.match(error.message, /^The server is busy: 1 requests are running and 1 are waiting/);
  second.abort();
  await assert.rejects(waiting);
  first.abort();
  await running.body?.cancel().catch(() => {});
  assert.equal((await post(url, { prompt: "The", max_tokens: 2 })).status, 200);
});

const garbage: [string, RequestInit | undefined, number, string][] = [
  ["{", undefined, 400, "The body is no JSON in UTF-8"],
  ["", undefined, 400, "The body is no JSON in UTF-8"],
  ["[1]", undefined, 400, "The body is a list, expected a JSON object"],
  ["null", undefined, 400, "The body is null"],
  ['"a"', undefined, 400, "The body is a string"],
  ['{"prompt": 5}', undefined, 400, "prompt must be a string"],
  ['{"__proto__": {"n": 3}, "constructor": 1}', undefined, 400, "Unrecognized request argument supplied: __proto__"],
  [`${"[".repeat(90_000)}`, undefined, 400, "The body is no JSON in UTF-8"],
  [
    "{}",
    { headers: { "content-type": "text/plain" } },
    415,
    "The content type is text/plain, expected application/json",
  ],
  ["{}", { method: "PUT" }, 405, "PUT is not allowed here, expected POST"],
];
for (const [body, init, status, message] of garbage) {
  test(`the body ${body.slice(0, 40) || "of no bytes"} ${init ? JSON.stringify(init) : ""} is answered with ${status}`, async () => {
    const { url } = servers[0] as RunningServer;
    const response = await post(url, body, init);
    assert.equal(response.status, status);
    const { error } = (await response.json()) as { error: { message: string; type: string } };
    assert.ok(error.message.startsWith(message), error.message);
    assert.equal(error.type, "invalid_request_error");
  });
}

test("a body that is not UTF-8, another address and another host name are refused", async () => {
  const { url } = servers[0] as RunningServer;
  assert.equal((await post(url, "", { body: Buffer.from([0x22, 0xff, 0x22]) })).status, 400);
  assert.equal((await fetch(`${url}/v1/nothing`)).status, 404);
  assert.equal((await fetch(`${url}/v1/models/other`)).status, 404);
  const { hostname, port } = new URL(url);
  const elsewhere = request({ host: hostname, port, path: "/v1/models", headers: { host: "evil.example" } }).end();
  const [response] = await once(elsewhere, "response");
  assert.equal(response.statusCode, 403);
  response.resume();
});

test("a client that does not read is cut off after the server's patience, and its turn comes free", async (t) => {
  // A tiny model and very many answers: more bytes than the sockets' buffers hold, in no time.
  const opened = await openGolden("tensorflow");
  if (typeof opened === "string") return t.skip(opened);
  const tiny = new TextModel("tiny", config, characters, opened.engine, "", "fixed");
  const { url, close } = await serve({
    ...{ model: tiny, modelId: "tiny", port: 0, nextSeed: () => 1, now: () => 0 },
    ...{ concurrency: 1, waiting: 1, rows: 1000, patienceMilliseconds: 300 },
  });
  t.after(async () => {
    await close();
    await tiny.dispose();
  });
  const body = JSON.stringify({ prompt: "The", max_tokens: 29, n: 800, logprobs: 5, stream: true });
  const script = join(packageRoot(), "test/serve/slow_reader.py");
  const reader = spawn("python3", [script, new URL(url).port, body], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => reader.kill());
  assert.equal(String(await once(reader.stdout, "data")).trim(), "sent");
  assert.equal((await post(url, { prompt: "The", max_tokens: 2 })).status, 200, "the turn came free");
  reader.stdin.end("read\n");
  assert.equal(String(await once(reader.stdout, "data")).trim(), "cut off");
  await once(reader, "exit");
});

test("a client that sends its request too slowly is cut off", async () => {
  const { url } = await start({ patienceMilliseconds: 300 });
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  await once(socket, "connect");
  socket.write(
    "POST /v1/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
  );
  let answer = "";
  socket.on("data", (data) => {
    answer += data;
  });
  await once(socket, "close");
  assert.match(answer, /^HTTP\/1\.1 408 /);
});

test("the page loads nothing from elsewhere and names the model", async () => {
  const { url } = servers[0] as RunningServer;
  const response = await fetch(url);
  assert.match(response.headers.get("content-security-policy") ?? "", /^default-src 'none'/);
  const html = await response.text();
  assert.match(html, /<h1>m<\/h1>/);
  assert.doesNotMatch(html, /https?:/);
});
