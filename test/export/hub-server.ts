/**
 * A Hugging Face Hub on the loopback interface, as far as sending a model needs it: whoami, making a repository, preupload,
 * the batch API of Git LFS with simple and multipart uploads, commits. It checks what it is sent. That it behaves like the
 * Hub is held by Python's huggingface_hub, which sends the same folder to it in the same tests.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A repository on the server. */
interface Repository {
  readonly private: boolean;
  readonly files: Map<string, Buffer>;
  readonly titles: string[];
}

/** The running server, and what it holds. */
export interface HubServer {
  readonly endpoint: string;
  /** By `owner/name`. */
  readonly repositories: Map<string, Repository>;
  /** Objects of Git LFS by sha256. */
  readonly objects: Map<string, Buffer>;
  /** Method and path of every request, in order. */
  readonly requests: string[];
  close(): Promise<void>;
}

/** The token that may write, and one that may only read. */
export const WRITER = "hf_writer";
export const READER = "hf_reader";

/** Above this size a file goes to LFS, and above `PART_BYTES` in parts. */
const LFS_BYTES = 100_000;
const PART_BYTES = 5_000_000;

/** Starts a server on a free port. */
export async function startHubServer(): Promise<HubServer> {
  const repositories = new Map<string, Repository>();
  const objects = new Map<string, Buffer>();
  const parts = new Map<string, Buffer>();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    handle(request, response).catch((error: Error) => send(response, 400, { error: error.message }));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    const path = (request.url ?? "").replace(/\?.*$/, "");
    // Uploads go to addresses that are secret themselves, as those of the Hub's storage.
    const upload = /^\/storage\/([0-9a-f]{64})(?:\/(\d+|complete))?$/.exec(path);
    if (upload) return store(response, upload[1] as string, upload[2], body);
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    if (token !== WRITER && token !== READER) return send(response, 401, { error: "Invalid credentials" });
    if (path === "/api/whoami-v2")
      return send(response, 200, { type: "user", name: "me", auth: { type: "access_token" } });
    if (token === READER) return send(response, 403, { error: "This token has no write access" });
    if (path === "/api/repos/create") return create(response, JSON.parse(body.toString()));
    if (path === "/api/validate-yaml") return send(response, 200, { errors: [], warnings: [] });
    const [, api, batch, action] =
      /^\/(?:api\/models\/(.+?)|(.+)\.git\/info\/lfs\/objects)\/(preupload\/main|commit\/main|batch|revision\/main)$/.exec(
        path,
      ) ?? [];
    const repository = repositories.get(api ?? batch ?? "");
    if (!repository || !action) {
      return send(response, 404, { error: `Nothing at ${request.method} ${path}` }, { "x-error-code": "RepoNotFound" });
    }
    if (action === "preupload/main") return preupload(response, JSON.parse(body.toString()));
    if (action === "batch") return lfsBatch(response, JSON.parse(body.toString()));
    if (action === "revision/main") return send(response, 200, { id: api, sha: "0".repeat(40), siblings: [] });
    return commit(response, api as string, repository, body.toString());
  }

  interface Creation {
    name: string;
    organization?: string;
    private?: boolean;
    visibility?: string;
  }
  function create(response: ServerResponse, given: Creation): void {
    const name = `${given.organization ?? "me"}/${given.name}`;
    const answer = { url: `${endpoint}/${name}`, id: name, name };
    const isNew = !repositories.has(name);
    const hidden = given.private === true || given.visibility === "private";
    if (isNew) repositories.set(name, { private: hidden, files: new Map(), titles: [] });
    send(response, isNew ? 200 : 409, isNew ? answer : { error: "You already created this model repo", ...answer });
  }

  function preupload(
    response: ServerResponse,
    { files }: { files: { path: string; size: number; sample: string }[] },
  ): void {
    const answer = files.map(({ path, size, sample }) => {
      assert.equal(Buffer.from(sample, "base64").length, Math.min(512, size), `sample of ${path}`);
      return { path, uploadMode: size > LFS_BYTES ? "lfs" : "regular", shouldIgnore: false };
    });
    send(response, 200, { files: answer });
  }

  function lfsBatch(
    response: ServerResponse,
    given: { operation: string; objects: { oid: string; size: number }[] },
  ): void {
    assert.equal(given.operation, "upload");
    const answer = given.objects.map(({ oid, size }) => {
      if (objects.has(oid)) return { oid, size };
      const count = Math.ceil(size / PART_BYTES);
      if (count === 1) return { oid, size, actions: { upload: { href: `${endpoint}/storage/${oid}` } } };
      const addresses = Array.from({ length: count }, (_, i) => [
        String(i + 1).padStart(5, "0"),
        `${endpoint}/storage/${oid}/${i + 1}`,
      ]);
      const header = { chunk_size: String(PART_BYTES), ...Object.fromEntries(addresses) };
      return { oid, size, actions: { upload: { href: `${endpoint}/storage/${oid}/complete`, header } } };
    });
    send(response, 200, {
      transfer: answer.some(({ actions }) => actions && "header" in actions.upload) ? "multipart" : "basic",
      objects: answer,
    });
  }

  function store(response: ServerResponse, oid: string, part: string | undefined, body: Buffer): void {
    const etag = sha256(body);
    if (part !== undefined && part !== "complete") parts.set(`${oid}/${part}/${etag}`, body);
    else {
      const content = part === "complete" ? joined(oid, JSON.parse(body.toString())) : body;
      assert.equal(sha256(content), oid, "what arrived is what was announced");
      objects.set(oid, content);
    }
    send(response, 200, {}, { etag });
  }

  function joined(oid: string, given: { parts: { partNumber: number; etag: string }[] }): Buffer {
    return Buffer.concat(
      given.parts.map(({ partNumber, etag }) => parts.get(`${oid}/${partNumber}/${etag}`) as Buffer),
    );
  }

  function commit(response: ServerResponse, name: string, repository: Repository, body: string): void {
    const lines = body
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    const changes = new Map<string, Buffer>();
    for (const { key, value } of lines) {
      if (key === "header") repository.titles.push(value.summary);
      else if (key === "file") changes.set(value.path, Buffer.from(value.content, value.encoding));
      else {
        assert.deepEqual([key, value.algo], ["lfsFile", "sha256"]);
        const content = objects.get(value.oid);
        assert.equal(content?.length, value.size, `${value.path} was uploaded before the commit`);
        changes.set(value.path, content as Buffer);
      }
    }
    for (const [path, content] of changes) repository.files.set(path, content);
    const oid = sha256(Buffer.from(body)).slice(0, 40);
    send(response, 200, {
      success: true,
      commitOid: oid,
      commitUrl: `${endpoint}/${name}/commit/${oid}`,
      hookOutput: "",
    });
  }

  return {
    ...{ endpoint, repositories, objects, requests },
    close: () =>
      new Promise((closed) => {
        server.closeAllConnections();
        server.close(() => closed());
      }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function send(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

function sha256(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
