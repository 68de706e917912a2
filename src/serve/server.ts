/**
 * An OpenAI-compatible server for one model. In: HTTP requests. Out: completions, whole or streamed by server-sent events, and a
 * page to try it. Loopback unless told otherwise; limits on bodies, answers a request, concurrency, waiting and slow readers. A
 * client that leaves ends its generation. It has no accounts and no TLS: put a proxy before it to serve others.
 */
import { randomInt, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TextModel } from "../generate/text-model.js";
import { Answer } from "./answer.js";
import { ApiError } from "./api-error.js";
import { page, pageHeaders } from "./page.js";
import { Queue } from "./queue.js";
import { type ParsedRequest, parseChat, parseCompletion } from "./request.js";

/** How a server is started. */
export interface ServeOptions {
  readonly model: TextModel;
  /** Name that clients ask for. */
  readonly modelId: string;
  /** Address to listen on; default 127.0.0.1, this machine only. */
  readonly host?: string;
  /** Port to listen on; default 8080, 0 for any that is free. */
  readonly port?: number;
  /** Requests that generate at once; default 4. */
  readonly concurrency?: number;
  /** Requests that may wait for their turn; the next gets status 429. Default 64. */
  readonly waiting?: number;
  /** Longest body; default 1 MB. */
  readonly bodyBytes?: number;
  /** Most answers a request: prompts × n. Default 16. */
  readonly rows?: number;
  /** A client that takes nothing for so long is cut off, and one that sends its request slower than this. Default 30,000. */
  readonly patienceMilliseconds?: number;
  /** Milliseconds since 1970; default Date.now. */
  readonly now?: () => number;
  /** Seed of a request that brings none; default a random one. */
  readonly nextSeed?: () => number;
}

/** A server that runs. */
export interface RunningServer {
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  /** Ends open requests and stops listening. */
  close(): Promise<void>;
}

type Settings = Required<ServeOptions> & { readonly queue: Queue };

/**
 * Starts to serve a model.
 *
 * @throws Error when the port is taken
 * @example
 * const server = await serve({ model: await openModel("./final_model"), modelId: "final_model", port: 0 });
 * await fetch(`${server.url}/v1/models`);
 * await server.close();
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { host = "127.0.0.1", port = 8080, concurrency = 4, waiting = 64 } = options;
  const settings: Settings = {
    bodyBytes: 1e6,
    rows: 16,
    patienceMilliseconds: 30_000,
    now: Date.now,
    nextSeed: () => randomInt(2 ** 31),
    ...options,
    ...{ host, port, concurrency, waiting },
    queue: new Queue(concurrency, waiting, 2),
  };
  const { patienceMilliseconds: patience } = settings;
  const timeouts = {
    requestTimeout: patience,
    headersTimeout: patience,
    connectionsCheckingInterval: Math.min(1000, patience),
  };
  const server = createServer(timeouts, (request, response) => void answer(request, response, settings));
  server.maxConnections = 1000;
  server.listen(port, host);
  await once(server, "listening");
  const address = server.address() as AddressInfo;
  const name = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return {
    url: `http://${name}:${address.port}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, settings: Settings): Promise<void> {
  const left = new AbortController();
  response.on("close", () => left.abort(new Error("The client left.")));
  response.on("error", () => {});
  try {
    await route(request, response, settings, left.signal);
  } catch (error) {
    if (left.signal.aborted) return;
    const known = error instanceof ApiError;
    if (!known) process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    const shown = known ? error : new ApiError(500, "The server could not answer; its log says why.");
    if (response.headersSent) response.end(`data: ${JSON.stringify(shown.body())}\n\n`);
    else if (request.complete) sendJson(response, shown.status, shown.body(), shown.details.headers);
    else {
      // What the client still sends is taken and dropped, and the answer ends after it: ending closes the connection, and one
      // that closes while its client writes is reset, which loses the answer.
      writeJson(response, shown.status, shown.body(), { ...shown.details.headers, connection: "close" });
      request.resume().once("end", () => response.end());
    }
  }
  settle(request, response, settings.patienceMilliseconds);
}

// Once the answer is written, neither a client that does not read nor one that does not stop sending may keep the connection.
function settle(request: IncomingMessage, response: ServerResponse, patience: number): void {
  if (response.writableFinished && request.complete) return;
  const timer = setTimeout(() => request.socket.destroy(), patience);
  const done = (): void => {
    if ((response.writableFinished && request.complete) || request.socket.destroyed) clearTimeout(timer);
  };
  response.on("finish", done).on("close", done);
  request.on("end", done);
}

async function route(request: IncomingMessage, response: ServerResponse, settings: Settings, signal: AbortSignal) {
  checkHost(request, settings.host);
  const path = (request.url ?? "/").replace(/\?.*$/s, "");
  const { modelId, model, rows } = settings;
  const card = { id: modelId, object: "model", created: 0, owned_by: "fledge" };
  switch (path) {
    case "/":
      allow(request, "GET");
      return void response.writeHead(200, pageHeaders).end(page(modelId, model.parameters));
    case "/v1/models":
      allow(request, "GET");
      return sendJson(response, 200, { object: "list", data: [card] });
    case `/v1/models/${modelId}`:
      allow(request, "GET");
      return sendJson(response, 200, card);
    case "/v1/completions":
      allow(request, "POST");
      return generate(
        parseCompletion(await readBody(request, settings), model, modelId, { rows }),
        response,
        settings,
        signal,
      );
    case "/v1/chat/completions":
      allow(request, "POST");
      return generate(
        parseChat(await readBody(request, settings), model, modelId, { rows }),
        response,
        settings,
        signal,
      );
    default:
      throw new ApiError(404, `There is nothing at ${path.slice(0, 100)}.`, { code: "not_found" });
  }
}

async function generate(parsed: ParsedRequest, response: ServerResponse, settings: Settings, signal: AbortSignal) {
  const { model, queue, now, nextSeed, modelId, patienceMilliseconds } = settings;
  const leave = await queue.enter(signal);
  try {
    const id = `${parsed.kind === "chat" ? "chatcmpl" : "cmpl"}-${randomUUID().replaceAll("-", "")}`;
    const head = { id, created: Math.floor(now() / 1000), model: modelId };
    const collected = new Answer(head, parsed, model.tokenizer);
    const seed = parsed.seed ?? nextSeed();
    const rows = parsed.prompts.flatMap((prompt) =>
      Array.from({ length: parsed.choices }, (_, choice) => ({ prompt, seed: seed + choice })),
    );
    const pieces = model.streamBatch(rows, { ...parsed.options, signal });
    if (!parsed.stream) {
      for await (const piece of pieces) collected.add(piece);
      return sendJson(response, 200, collected.whole());
    }
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store" });
    const send = async (event: object | "[DONE]") => {
      const text = typeof event === "string" ? event : JSON.stringify(event);
      // Nothing more is computed until the client has taken what is there.
      if (!response.write(`data: ${text}\n\n`)) await drained(response, patienceMilliseconds, signal);
    };
    for (const chunk of collected.opening()) await send(chunk);
    for await (const piece of pieces) {
      const chunk = collected.add(piece);
      if (chunk) await send(chunk);
    }
    if (parsed.includeUsage) await send(collected.usageChunk());
    await send("[DONE]");
    response.end();
  } finally {
    leave();
  }
}

async function drained(response: ServerResponse, patience: number, signal: AbortSignal): Promise<void> {
  const timer = setTimeout(() => response.destroy(), patience);
  try {
    await once(response, "drain", { signal });
  } finally {
    clearTimeout(timer);
  }
}

async function readBody(request: IncomingMessage, { bodyBytes }: Settings): Promise<unknown> {
  if (!/^application\/json\b/i.test(request.headers["content-type"] ?? "")) {
    throw new ApiError(
      415,
      `The content type is ${request.headers["content-type"] ?? "missing"}, expected application/json.`,
    );
  }
  const tooLarge = () =>
    new ApiError(413, `The body is longer than ${bodyBytes} bytes.`, { code: "request_too_large" });
  if (Number(request.headers["content-length"] ?? 0) > bodyBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  await new Promise<void>((resolve, reject) => {
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      // Not destroyed: the answer must still reach the client.
      if (length > bodyBytes) reject(tooLarge());
      else chunks.push(chunk);
    });
    request.on("end", resolve);
    request.on("error", reject);
  });
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)));
  } catch (error) {
    const reason = error instanceof Error ? error.message.slice(0, 200) : "";
    throw new ApiError(400, `The body is no JSON in UTF-8: ${reason}`, { code: "invalid_json" });
  }
}

function allow(request: IncomingMessage, method: string): void {
  if (request.method === method || (method === "GET" && request.method === "HEAD")) return;
  throw new ApiError(405, `${request.method} is not allowed here, expected ${method}.`, { headers: { allow: method } });
}

// A web page elsewhere can make its own name point to this machine; then the browser sends that name.
function checkHost(request: IncomingMessage, host: string): void {
  if (!["127.0.0.1", "::1", "localhost"].includes(host)) return;
  const name = (request.headers.host ?? "").replace(/:\d+$/, "");
  if (["127.0.0.1", "[::1]", "localhost"].includes(name)) return;
  throw new ApiError(403, "This server answers to 127.0.0.1 and localhost only.", { code: "wrong_host" });
}

function sendJson(...[response, ...rest]: Parameters<typeof writeJson>): void {
  writeJson(response, ...rest);
  response.end();
}

function writeJson(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": bytes.length,
    "cache-control": "no-store",
    ...headers,
  });
  response.write(bytes);
}
