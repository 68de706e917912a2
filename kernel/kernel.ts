/**
 * The kernel: answers every request of the Jupyter protocol. In: messages from the sockets. Out: replies and broadcasts.
 * Cells wait in a queue; all other requests are answered at once, while a cell computes. It knows no ZeroMQ and no TypeScript.
 * Source: jupyter-client documentation, "Messaging in Jupyter", protocol 5.4.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { problem } from "../src/message.js";
import { type ExecuteRequest, Executor, type InputQuestion } from "./executor.js";
import { Language } from "./language.js";
import { type Header, type Json, type Message, newMessage, PROTOCOL_VERSION } from "./protocol.js";
import type { KernelSockets, RequestChannel } from "./sockets.js";

/** What a kernel needs from its surroundings. */
export interface KernelOptions {
  /** Id of the kernel's session in message headers. */
  readonly sessionId: string;
  /** The notebook's folder. */
  readonly folder: string;
  /** Fledge's own folder. */
  readonly packageFolder: string;
  /** Called once after a shutdown request has been answered. */
  readonly onShutdown: () => void;
}

interface QueuedExecution {
  readonly channel: RequestChannel;
  readonly message: Message;
}

// `?name` and `name?` ask for documentation, as in IPython; neither is TypeScript.
const QUESTION = /^\s*(?:\?{1,2}\s*([\w$.]+)|([\w$.]+)\s*\?{1,2})\s*$/;

type Handler = (message: Message) => Json | Promise<Json>;

/** One Jupyter kernel. Give it sockets with `connect`, then messages with `handle`. */
export class Kernel {
  readonly #options: KernelOptions;
  readonly #language: Language;
  readonly #executor: Executor;
  readonly #queue: QueuedExecution[] = [];
  readonly #handlers: Readonly<Record<string, Handler>>;
  // msg_id of an input_request → id of the question.
  readonly #questions = new Map<string, number>();
  #executing: Message | undefined;
  #sockets: KernelSockets | undefined;
  #busy = false;

  constructor(options: KernelOptions) {
    this.#options = options;
    this.#language = new Language(options.folder, options.packageFolder);
    this.#executor = new Executor(
      options.folder,
      this.#language,
      (type, content, parent) => this.#publish(type, content, parent),
      (question) => this.#askInput(question),
    );
    this.#handlers = {
      kernel_info_request: () => this.#kernelInfo(),
      complete_request: ({ content }) => this.#complete(content),
      inspect_request: ({ content }) => this.#inspect(content),
      is_complete_request: ({ content }) => this.#isComplete(content),
      history_request: ({ content }) => ({ status: "ok", history: this.#executor.history.answer(content) }),
      comm_info_request: () => ({ status: "ok", comms: {} }),
      interrupt_request: () => {
        this.#executor.interrupt();
        return { status: "ok" };
      },
      shutdown_request: ({ content }) => this.#shutdown(content),
    };
  }

  /** Gives the kernel its sockets and says on iopub that it starts. */
  connect(sockets: KernelSockets): void {
    this.#sockets = sockets;
    this.#publish("status", { execution_state: "starting" }, undefined);
  }

  /** Takes one message of a socket. */
  handle(channel: RequestChannel, message: Message): void {
    const type = message.header.msg_type;
    if (type === "execute_request") {
      this.#queue.push({ channel, message });
      if (!this.#busy) void this.#runQueue();
      return;
    }
    if (type === "input_reply") {
      this.#takeInput(message);
      return;
    }
    // The type is the client's word: "constructor" must find nothing.
    const handler = Object.hasOwn(this.#handlers, type) ? this.#handlers[type] : undefined;
    const { comm_id } = message.content;
    if (handler) void this.#answer(channel, message, handler);
    else if (type === "comm_open" && typeof comm_id === "string") {
      this.#publish("comm_close", { comm_id, data: {} }, message.header);
    }
  }

  /** Stops the running cell, as an interrupt request does. */
  interrupt(): void {
    this.#executor.interrupt();
  }

  /** Ends the session process and the language thread. */
  async close(): Promise<void> {
    await Promise.all([this.#executor.close(), this.#language.close()]);
  }

  async #answer(channel: RequestChannel, message: Message, handler: Handler): Promise<void> {
    this.#publish("status", { execution_state: "busy" }, message.header);
    let content: Json;
    try {
      content = await handler(message);
    } catch (error) {
      content = failure(error);
    }
    this.#reply(channel, message, content);
    this.#publish("status", { execution_state: "idle" }, message.header);
    // Front ends show the last state they hear of; a cell that runs on is told again.
    const running = this.#executor.runningParent;
    if (running) this.#publish("status", { execution_state: "busy" }, running);
    if (message.header.msg_type === "shutdown_request") this.#options.onShutdown();
  }

  async #runQueue(): Promise<void> {
    this.#busy = true;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) await this.#execute(next);
    this.#busy = false;
  }

  async #execute({ channel, message }: QueuedExecution): Promise<void> {
    const { header, content } = message;
    this.#publish("status", { execution_state: "busy" }, header);
    this.#executing = message;
    const reply = await this.#run(content, header).catch(failure);
    this.#executing = undefined;
    this.#questions.clear();
    this.#reply(channel, message, reply);
    this.#publish("status", { execution_state: "idle" }, header);
    if (reply.status === "error" && content.stop_on_error !== false) await this.#abortQueue();
  }

  async #run(content: Json, header: Header): Promise<Json> {
    const request = executeRequest(content);
    const question = QUESTION.exec(request.code);
    if (question) return this.#page(question[1] ?? question[2] ?? "");
    const { executionCount, error, userExpressions } = await this.#executor.execute(request, header);
    return error
      ? { status: "error", execution_count: executionCount, ...error, user_expressions: {}, payload: [] }
      : { status: "ok", execution_count: executionCount, user_expressions: userExpressions, payload: [] };
  }

  #askInput({ id, prompt, password }: InputQuestion): void {
    const request = this.#executing;
    if (!request) return;
    const { identities, header } = request;
    const message = newMessage("input_request", this.#options.sessionId, header, { prompt, password }, { identities });
    this.#questions.set(message.header.msg_id, id);
    this.#sockets?.send("stdin", message);
  }

  // Not every client says which question it answers; then it is the oldest one.
  #takeInput({ parent, content }: Message): void {
    const asked = parent?.msg_id ?? this.#questions.keys().next().value ?? "";
    const id = this.#questions.get(asked);
    if (id === undefined || !this.#questions.delete(asked)) return;
    this.#executor.answerInput(id, String(content.value ?? ""));
  }

  // The documentation of a name, for the pager.
  async #page(name: string): Promise<Json> {
    const text = await this.#language.describe(name, name.length - 1).catch(() => undefined);
    const data = { "text/plain": text ?? `Nothing is known about ${name}.` };
    const payload = [{ source: "page", data, start: 0 }];
    return { status: "ok", execution_count: this.#executor.executionCount, user_expressions: {}, payload };
  }

  // What was sent before the error was known must not run.
  async #abortQueue(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    for (const { channel, message } of this.#queue.splice(0)) {
      this.#publish("status", { execution_state: "busy" }, message.header);
      const executionCount = this.#executor.executionCount;
      this.#reply(channel, message, { status: "aborted", execution_count: executionCount });
      this.#publish("status", { execution_state: "idle" }, message.header);
    }
  }

  #kernelInfo(): Json {
    const own = JSON.parse(readFileSync(join(this.#options.packageFolder, "package.json"), "utf8"));
    const require = createRequire(join(this.#options.packageFolder, "package.json"));
    const typescript = JSON.parse(readFileSync(require.resolve("typescript/package.json"), "utf8"));
    return {
      status: "ok",
      protocol_version: PROTOCOL_VERSION,
      implementation: "fledge",
      implementation_version: own.version,
      language_info: {
        name: "typescript",
        version: typescript.version,
        mimetype: "application/typescript",
        file_extension: ".ts",
        pygments_lexer: "typescript",
        codemirror_mode: "typescript",
        nbconvert_exporter: "script",
      },
      banner: `Fledge ${own.version}: TypeScript ${typescript.version} on Node ${process.versions.node}`,
      debugger: false,
      help_links: [{ text: "TypeScript handbook", url: "https://www.typescriptlang.org/docs/" }],
      supported_features: [],
    };
  }

  async #complete(content: Json): Promise<Json> {
    const code = sourceOf(content);
    const { start, end, matches } = await this.#language.complete(code, utf16Offset(code, content.cursor_pos));
    const cursorStart = codePointOffset(code, start);
    const cursorEnd = codePointOffset(code, end);
    return {
      status: "ok",
      matches: matches.map(({ name }) => name),
      cursor_start: cursorStart,
      cursor_end: cursorEnd,
      metadata: {
        _jupyter_types_experimental: matches.map(({ name, kind }) => ({
          text: name,
          type: kind,
          start: cursorStart,
          end: cursorEnd,
        })),
      },
    };
  }

  async #inspect(content: Json): Promise<Json> {
    const code = sourceOf(content);
    const offset = utf16Offset(code, content.cursor_pos);
    // At the end of a word the cursor touches no token; the character before it does.
    const text =
      (await this.#language.describe(code, offset)) ??
      (offset > 0 ? await this.#language.describe(code, offset - 1) : undefined);
    return {
      status: "ok",
      found: text !== undefined,
      data: text === undefined ? {} : { "text/plain": text },
      metadata: {},
    };
  }

  async #isComplete(content: Json): Promise<Json> {
    const { status, indent } = await this.#language.completeness(sourceOf(content));
    return status === "incomplete" ? { status, indent } : { status };
  }

  async #shutdown(content: Json): Promise<Json> {
    await this.close();
    return { status: "ok", restart: content.restart === true };
  }

  #reply(channel: RequestChannel, request: Message, content: Json): void {
    const type = request.header.msg_type.replace(/_request$/, "_reply");
    const { identities, header } = request;
    this.#sockets?.send(channel, newMessage(type, this.#options.sessionId, header, content, { identities }));
    if (type === "shutdown_reply") this.#publish(type, content, header);
  }

  #publish(type: string, content: Json, parent: Header | undefined): void {
    this.#sockets?.publish(newMessage(type, this.#options.sessionId, parent, content));
  }
}

function executeRequest(content: Json): ExecuteRequest {
  const expressions = content.user_expressions;
  return {
    code: sourceOf(content),
    silent: content.silent === true,
    storeHistory: content.store_history !== false,
    allowStdin: content.allow_stdin !== false,
    userExpressions:
      typeof expressions === "object" && expressions !== null ? (expressions as Record<string, string>) : {},
  };
}

function sourceOf({ code = "" }: Json): string {
  if (typeof code === "string") return code;
  const found = `code of type ${code === null ? "null" : typeof code}`;
  throw new TypeError(problem({ cannot: "read the request", found, expected: "a string", fix: "send source as text" }));
}

// What a request gets that could not be answered.
function failure(error: unknown): Json {
  const evalue = error instanceof Error ? error.message : String(error);
  return { status: "error", ename: "KernelError", evalue, traceback: [evalue] };
}

// Jupyter counts code points, TypeScript UTF-16 units.
function utf16Offset(code: string, codePoints: unknown): number {
  return typeof codePoints === "number" ? [...code].slice(0, codePoints).join("").length : code.length;
}

function codePointOffset(code: string, offset: number): number {
  return [...code.slice(0, offset)].length;
}
