/**
 * The kernel: answers every request of the Jupyter protocol. In: messages from the sockets. Out: replies and broadcasts.
 * Cells wait in queues; all other requests are answered at once, while a cell computes. It knows no ZeroMQ and no TypeScript.
 * Source: jupyter-client documentation, "Messaging in Jupyter", protocol 5.4.
 */
import { problem } from "../src/message.js";
import { type ExecuteRequest, Executor, type InputQuestion } from "./executor.js";
import { kernelInfo } from "./kernel-info.js";
import { Language } from "./language.js";
import { type Header, type Json, type Message, type MessageExtras, newMessage } from "./protocol.js";
import type { CommFrame } from "./session-comms.js";
import { type QueuedRequest, ShellQueues } from "./shell-queues.js";
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

// `?name` and `name?` ask for documentation, as in IPython; neither is TypeScript.
const QUESTION = /^\s*(?:\?{1,2}\s*([\w$.]+)|([\w$.]+)\s*\?{1,2})\s*$/;

const COMM_KINDS: Readonly<Record<string, CommFrame["kind"]>> = {
  comm_open: "open",
  comm_msg: "message",
  comm_close: "close",
};

type Handler = (message: Message) => Json | Promise<Json>;

/** One Jupyter kernel. Give it sockets with `connect`, then messages with `handle`. */
export class Kernel {
  readonly #options: KernelOptions;
  readonly #language: Language;
  readonly #executor: Executor;
  readonly #queues: ShellQueues;
  readonly #handlers: Readonly<Record<string, Handler>>;
  // msg_id of a request → the request, while its cell runs.
  readonly #executing = new Map<string, Message>();
  // msg_id of an input_request → id of the question, and the msg_id of the request that asks.
  readonly #questions = new Map<string, { readonly id: number; readonly request: string }>();
  #sockets: KernelSockets | undefined;

  constructor(options: KernelOptions) {
    this.#options = options;
    this.#language = new Language(options.folder, options.packageFolder);
    this.#executor = new Executor(options.folder, this.#language, {
      publish: (type, content, parent, extras) => this.#publish(type, content, parent, extras),
      ask: (question, parent) => this.#askInput(question, parent),
      now: () => performance.now(),
    });
    this.#queues = new ShellQueues({
      handle: (request) => (isComm(request.message) ? this.#takeComm(request.message) : this.#execute(request)),
      abort: (request) => this.#abort(request),
    });
    this.#handlers = {
      kernel_info_request: () => kernelInfo(options.packageFolder),
      complete_request: ({ content }) => this.#complete(content),
      inspect_request: ({ content }) => this.#inspect(content),
      is_complete_request: ({ content }) => this.#isComplete(content),
      history_request: ({ content }) => ({ status: "ok", history: this.#executor.history.answer(content) }),
      comm_info_request: ({ content }) => this.#commInfo(content),
      create_subshell_request: () => ({ status: "ok", subshell_id: this.#queues.create() }),
      delete_subshell_request: ({ content }) =>
        this.#queues.delete(String(content.subshell_id)) ? { status: "ok" } : failure(noSubshell(content.subshell_id)),
      list_subshell_request: () => ({ status: "ok", subshell_id: this.#queues.list() }),
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
    if (type === "input_reply") {
      this.#takeInput(message);
      return;
    }
    if (isComm(message)) {
      const { comm_id: commId } = message.content;
      if (typeof commId !== "string") return;
      // A widget that is open is heard at once, also while a cell waits; one that opens waits its turn as cells do.
      const isHeard = type !== "comm_open" && this.#executor.comms.has(commId) && !this.#queues.holdsComm(commId);
      if (isHeard) void this.#takeComm(message);
      else this.#queues.push({ channel, message });
      return;
    }
    if (type === "execute_request") {
      if (this.#queues.push({ channel, message })) return;
      void this.#answer(channel, message, () => failure(noSubshell(message.header.subshell_id)));
      return;
    }
    // The type is the client's word: "constructor" must find nothing.
    const handler = Object.hasOwn(this.#handlers, type) ? this.#handlers[type] : undefined;
    if (handler) void this.#answer(channel, message, handler);
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
    this.#tellIdle(message.header);
    if (message.header.msg_type === "shutdown_request") this.#options.onShutdown();
  }

  // Front ends show the last state they hear of; a cell that runs on is told again.
  #tellIdle(parent: Header): void {
    this.#publish("status", { execution_state: "idle" }, parent);
    const running = this.#executor.runningParent;
    if (running) this.#publish("status", { execution_state: "busy" }, running);
  }

  async #execute({ channel, message }: QueuedRequest): Promise<boolean> {
    const { header, content } = message;
    this.#publish("status", { execution_state: "busy" }, header);
    this.#executing.set(header.msg_id, message);
    const reply = await this.#run(content, header).catch(failure);
    this.#executing.delete(header.msg_id);
    for (const [asked, { request }] of this.#questions) if (request === header.msg_id) this.#questions.delete(asked);
    this.#reply(channel, message, reply);
    this.#tellIdle(header);
    return reply.status === "error" && content.stop_on_error !== false;
  }

  #abort({ channel, message }: QueuedRequest): void {
    this.#publish("status", { execution_state: "busy" }, message.header);
    if (!isComm(message)) {
      this.#reply(channel, message, { status: "aborted", execution_count: this.#executor.executionCount });
    }
    this.#publish("status", { execution_state: "idle" }, message.header);
  }

  async #takeComm({ header, content, metadata, buffers }: Message): Promise<boolean> {
    this.#publish("status", { execution_state: "busy" }, header);
    const { comm_id, target_name, data } = content;
    const frame = {
      kind: COMM_KINDS[header.msg_type] ?? "message",
      commId: typeof comm_id === "string" ? comm_id : "",
      ...(typeof target_name === "string" && { targetName: target_name }),
      data: typeof data === "object" && data !== null ? (data as Json) : {},
      metadata,
      buffers: buffers.map((each) => Buffer.from(each.buffer, each.byteOffset, each.byteLength).toString("base64")),
    };
    await this.#executor.takeComm(frame, header);
    this.#tellIdle(header);
    return false;
  }

  #commInfo({ target_name: wanted }: Json): Json {
    const found = [...this.#executor.comms].filter(([, target]) => typeof wanted !== "string" || target === wanted);
    return { status: "ok", comms: Object.fromEntries(found.map(([id, target_name]) => [id, { target_name }])) };
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

  #askInput({ id, prompt, password }: InputQuestion, parent: Header): void {
    const request = this.#executing.get(parent.msg_id);
    if (!request) return;
    const { identities, header } = request;
    const message = newMessage("input_request", this.#options.sessionId, header, { prompt, password }, { identities });
    this.#questions.set(message.header.msg_id, { id, request: header.msg_id });
    this.#sockets?.send("stdin", message);
  }

  // Not every client says which question it answers; then it is the oldest one.
  #takeInput({ parent, content }: Message): void {
    const asked = parent?.msg_id ?? this.#questions.keys().next().value ?? "";
    const question = this.#questions.get(asked);
    if (question === undefined || !this.#questions.delete(asked)) return;
    this.#executor.answerInput(question.id, typeof content.value === "string" ? content.value : "");
  }

  // The documentation of a name, for the pager.
  async #page(name: string): Promise<Json> {
    const text = await this.#language.describe(name, name.length - 1).catch(() => undefined);
    const data = { "text/plain": text ?? `Nothing is known about ${name}.` };
    const payload = [{ source: "page", data, start: 0 }];
    return { status: "ok", execution_count: this.#executor.executionCount, user_expressions: {}, payload };
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

  #publish(type: string, content: Json, parent: Header | undefined, extras?: MessageExtras): void {
    this.#sockets?.publish(newMessage(type, this.#options.sessionId, parent, content, extras));
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

function isComm({ header }: Message): boolean {
  return Object.hasOwn(COMM_KINDS, header.msg_type);
}

function noSubshell(id: unknown): Error {
  const expected = "the id of a subshell, from create_subshell_request";
  return new RangeError(problem({ cannot: "find the subshell", found: String(id), expected, fix: "create one first" }));
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
