/**
 * A small Hugging Face Hub on the loopback interface: repositories held in memory behind the Hub's own paths, headers and
 * refusals, with large files redirected to a store of another origin. What goes wrong is decided by the test, request by
 * request. Python's huggingface_hub downloads from it too.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A repository: files by revision. */
export interface ServedRepository {
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  /** Other revisions than main, each with its own files. */
  readonly revisions?: Readonly<Record<string, ServedRepository["files"]>>;
  /** Only a token that is in this list may read it; an empty list refuses every one. */
  readonly gatedFor?: readonly string[];
  /** Everything is redirected to this name, */
  readonly renamedTo?: string;
  /** with this status; default 307, as the Hub does. */
  readonly renamedBy?: 301 | 307;
}

/** What to do with one request instead of answering it. */
export type Fault =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Sends this many bytes of the body, then breaks the connection. */
  | { readonly cutAfter: number }
  /** Sends a body of the right length with one byte changed. */
  | { readonly flip: true }
  /** Ignores the Range of the request. */
  | { readonly whole: true };

/** A running server. */
export interface HubServer {
  readonly endpoint: string;
  /** Every request: method, path, and the headers that matter. */
  readonly requests: { method: string; path: string; range?: string; authorization?: string; atStore: boolean }[];
  /** Decides the fate of each request; set it in a test. */
  fault: (request: { method: string; path: string; atStore: boolean }) => Fault | undefined;
  close(): Promise<void>;
}

/** Files from this size on lie in the store, as large files do on the Hub. */
const LARGE_BYTES = 1000;

/** Starts a Hub. Keys are `models/owner/name` and `datasets/owner/name`. */
export async function startHub(repositories: Readonly<Record<string, ServedRepository>>): Promise<HubServer> {
  const requests: HubServer["requests"] = [];
  const blobs = new Map<string, Buffer>();
  const respond = (atStore: boolean) => (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? "";
    const method = request.method ?? "";
    const { range, authorization } = request.headers;
    requests.push({ method, path, atStore, ...(range && { range }), ...(authorization && { authorization }) });
    const fault = hub.fault({ method, path, atStore });
    if (fault && "status" in fault) return response.writeHead(fault.status, fault.headers).end();
    if (atStore) return send(request, response, blobs.get(path.slice(1)), {}, fault);
    return answer(request, response, fault);
  };
  const home = await listen(respond(false));
  const store = await listen(respond(true));
  const hub: HubServer = {
    endpoint: addressOf(home),
    requests,
    fault: () => undefined,
    close: async () => {
      for (const server of [home, store]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
  return hub;

  function answer(request: IncomingMessage, response: ServerResponse, fault: Fault | undefined): ServerResponse {
    const refuse = (status: number, code: string) => response.writeHead(status, { "x-error-code": code }).end();
    const { pathname } = new URL(request.url ?? "", hub.endpoint);
    const place = placeOf(pathname);
    const token = request.headers.authorization?.replace("Bearer ", "");
    if (!place) return refuse(404, "");
    const repository = repositories[`${place.kind}/${place.name}`];
    if (!repository) return refuse(token ? 404 : 401, "RepoNotFound");
    if (repository.renamedTo !== undefined) {
      const location = (request.url ?? "").replace(place.name, repository.renamedTo);
      return response.writeHead(repository.renamedBy ?? 307, { location }).end();
    }
    const { gatedFor } = repository;
    const isOpen = !gatedFor || (token !== undefined && gatedFor.includes(token));
    const files = filesOf(repository, place.revision);
    if (!files) return refuse(404, "RevisionNotFound");
    const commit = commitOf(files);
    if (place.file === undefined) {
      const listed = Object.entries(files).map(([name, data]) => ({ name, ...announced(Buffer.from(data)) }));
      const tree = listed.map(({ name, etag, size }) => {
        return {
          type: "file",
          path: name,
          size,
          oid: etag,
          ...(size >= LARGE_BYTES && { lfs: { oid: etag, size, pointerSize: 134 } }),
        };
      });
      const siblings = listed.map(({ name, size }) => ({ rfilename: name, size }));
      const information = { id: place.name, sha: commit, siblings, private: false, tags: [], gated: !isOpen };
      const body = JSON.stringify(place.asks === "tree" ? tree : information);
      return send(request, response, Buffer.from(body), { "content-type": "application/json" }, fault);
    }
    if (!isOpen) return refuse(token ? 403 : 401, "GatedRepo");
    const found = files[place.file];
    if (found === undefined) {
      return response.writeHead(404, { "x-error-code": "EntryNotFound", "x-repo-commit": commit }).end();
    }
    const content = Buffer.from(found);
    const { etag, size } = announced(content);
    const head = { "x-repo-commit": commit };
    if (size < LARGE_BYTES) return send(request, response, content, { ...head, etag: `"${etag}"` }, fault);
    blobs.set(etag, content);
    const linked = { "x-linked-size": `${size}`, "x-linked-etag": `"${etag}"` };
    return response.writeHead(302, { ...head, ...linked, location: `${addressOf(store)}/${etag}` }).end();
  }
}

interface Place {
  readonly kind: string;
  readonly name: string;
  readonly revision: string;
  /** A file, or what to say of all of them. */
  readonly file?: string;
  readonly asks?: string;
}

// /api/models/<name>/revision/<revision> or tree/<revision>, /<name>/resolve/<revision>/<file>, /datasets/<name>/resolve/…
function placeOf(pathname: string): Place | undefined {
  const api = /^\/api\/(models|datasets)\/(.+?)(?:\/(revision|tree)\/([^/]+))?$/.exec(pathname);
  if (api) {
    const [, kind = "", name = "", asks = "revision", revision = "main"] = api;
    return { kind, name, asks, revision: decodeURIComponent(revision) };
  }
  const file = /^\/(datasets\/)?(.+?)\/resolve\/([^/]+)\/(.+)$/.exec(pathname);
  if (!file) return undefined;
  const [, dataset, name = "", revision = "", path = ""] = file;
  const kind = dataset ? "datasets" : "models";
  return { kind, name, revision: decodeURIComponent(revision), file: decodeURIComponent(path) };
}

function filesOf(repository: ServedRepository, revision: string): ServedRepository["files"] | undefined {
  const { files, revisions = {} } = repository;
  const all = [["main", files] as const, ...Object.entries(revisions)];
  return all.find(([name, of]) => name === revision || commitOf(of) === revision)?.[1];
}

/** The commit that files stand for: the same files, the same commit. */
export function commitOf(files: ServedRepository["files"]): string {
  const hash = createHash("sha1");
  for (const [name, data] of Object.entries(files)) hash.update(name).update(data);
  return hash.digest("hex");
}

// Small files are named by git's hash, large ones by their SHA-256.
function announced(content: Buffer): { etag: string; size: number } {
  const isLarge = content.length >= LARGE_BYTES;
  const etag = isLarge ? createHash("sha256").update(content).digest("hex") : gitHash(content);
  return { etag, size: content.length };
}

/** Git's hash of a blob: the ETag of small files. */
export function gitHash(content: Buffer): string {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  content: Buffer | undefined,
  headers: Readonly<Record<string, string>>,
  fault: Fault | undefined,
): ServerResponse {
  if (!content) return response.writeHead(404).end();
  const asked = fault && "whole" in fault ? undefined : /^bytes=(\d+)-(\d+)?/.exec(request.headers.range ?? "");
  const from = Number(asked?.[1] ?? 0);
  if (asked && from >= content.length) return response.writeHead(416).end();
  const body = Buffer.from(content.subarray(from, asked?.[2] === undefined ? undefined : Number(asked[2]) + 1));
  if (fault && "flip" in fault) body[0] = (body[0] ?? 0) ^ 1;
  const range = asked && { "content-range": `bytes ${from}-${from + body.length - 1}/${content.length}` };
  response.writeHead(asked ? 206 : 200, {
    ...headers,
    ...range,
    "content-length": body.length,
    "accept-ranges": "bytes",
  });
  if (request.method === "HEAD") return response.end();
  if (fault && "cutAfter" in fault) {
    response.write(body.subarray(0, fault.cutAfter), () => setTimeout(() => response.destroy(), 20));
    return response;
  }
  return response.end(body);
}

async function listen(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
