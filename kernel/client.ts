/**
 * A client of the kernel over its real sockets: for the headless runner and the tests. In: a command that starts a kernel.
 * Out: requests and their replies, broadcasts, and the end of the kernel's process. Never waits for a kernel that is dead.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { problem } from "../src/message.js";
import { type ConnectionInfo, freeConnection } from "./connection.js";
import { type Json, type Message, newMessage } from "./protocol.js";
import { type ClientSockets, connectClientSockets, type RequestChannel } from "./sockets.js";

/** How to start a kernel. */
export interface KernelStart {
  /** Working directory: the notebook's folder. */
  readonly folder: string;
  /** Environment of the kernel; default: this process's own. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Seconds until a kernel that does not answer is given up; default 60. */
  readonly startTimeoutSeconds?: number;
  /** The command line of another kernel, given its connection file; default: Fledge's own. */
  readonly command?: (connectionFile: string) => readonly string[];
}

/** The reply to a cell, and how to listen to what it prints. */
export interface ExecuteOptions {
  readonly silent?: boolean;
  readonly storeHistory?: boolean;
  readonly stopOnError?: boolean;
  readonly userExpressions?: Readonly<Record<string, string>>;
  /** The subshell that runs it; default: the shell itself. */
  readonly subshellId?: string;
  /** Answers what the cell asks; without it the cell is told that nobody does. */
  readonly onInput?: (prompt: string, password: boolean) => string | Promise<string>;
  /** Called for every broadcast of this cell, in order, until it is idle. */
  readonly onOutput?: (message: Message) => void;
}

interface Listeners {
  readonly onOutput?: ExecuteOptions["onOutput"];
  readonly onInput?: ExecuteOptions["onInput"];
  readonly subshellId?: string;
}

interface Pending extends Listeners {
  reply: Message | undefined;
  idle: boolean;
  settle(reply: Message): void;
  fail(error: Error): void;
}

const EXIT_MILLISECONDS = 5000;
const ASK_MILLISECONDS = 50;

/** A started kernel. */
export class KernelClient {
  readonly connection: ConnectionInfo;
  readonly process: ChildProcess;
  /** Everything heard on iopub that belongs to no pending request goes here. */
  onStray: (message: Message) => void = () => undefined;
  readonly #sockets: ClientSockets;
  readonly #session = randomUUID();
  readonly #pending = new Map<string, Pending>();
  readonly #folder: string;
  readonly #failed: Promise<never>;
  #welcome: () => void = () => undefined;
  #errorText = "";
  #dead: Error | undefined;

  private constructor(connection: ConnectionInfo, process: ChildProcess, folder: string) {
    this.connection = connection;
    this.process = process;
    this.#folder = folder;
    this.#sockets = connectClientSockets(connection, (channel, message) => this.#take(channel, message));
    process.stderr?.on("data", (bytes: Buffer) => {
      this.#errorText = (this.#errorText + bytes.toString()).slice(-4000);
    });
    this.#failed = new Promise((_, reject) => {
      process.once("exit", (code, signal) =>
        reject(this.#died(signal === null ? `exit code ${code}` : `signal ${signal}`)),
      );
    });
    this.#failed.catch(() => undefined);
  }

  /**
   * Starts a kernel and waits until it answers and its broadcasts arrive.
   *
   * @throws Error when the kernel dies or does not answer in time
   */
  static async start({ folder, environment, startTimeoutSeconds = 60, command }: KernelStart): Promise<KernelClient> {
    const temporary = await mkdtemp(join(tmpdir(), "fledge-kernel-"));
    const connection = await freeConnection();
    const file = join(temporary, "connection.json");
    await writeFile(file, JSON.stringify(connection), { mode: 0o600 });
    const main = fileURLToPath(new URL("./main.js", import.meta.url));
    const [program = "", ...programArguments] = command?.(file) ?? [process.execPath, main, file];
    const child = spawn(program, programArguments, {
      cwd: folder,
      env: { ...(environment ?? process.env), JPY_PARENT_PID: String(process.pid) },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const client = new KernelClient(connection, child, temporary);
    try {
      await client.#ready(startTimeoutSeconds, command !== undefined);
      return client;
    } catch (error) {
      await client.kill();
      throw error;
    }
  }

  /** Sends a request and waits for its reply and for the kernel to be idle again. @throws Error when the kernel dies */
  request(channel: RequestChannel, type: string, content: Json, listeners: Listeners = {}): Promise<Message> {
    return this.#send(channel, newMessage(type, this.#session, undefined, content), listeners);
  }

  /** Runs code as a cell. @returns the execute_reply */
  execute(code: string, options: ExecuteOptions = {}): Promise<Message> {
    const content = {
      code,
      silent: options.silent ?? false,
      store_history: options.storeHistory ?? true,
      user_expressions: options.userExpressions ?? {},
      allow_stdin: options.onInput !== undefined,
      stop_on_error: options.stopOnError ?? true,
    };
    return this.request("shell", "execute_request", content, options);
  }

  /**
   * Sends a message of a comm, which gets no reply, and waits until the kernel is idle again.
   *
   * @param type `comm_open`, `comm_msg` or `comm_close`
   * @returns what the kernel has broadcast for it
   */
  async comm(
    type: string,
    content: Json,
    buffers: readonly Uint8Array[] = [],
    onOutput?: (message: Message) => void,
  ): Promise<Message[]> {
    const heard: Message[] = [];
    const message = newMessage(type, this.#session, undefined, content, { buffers });
    const listener = (each: Message) => {
      if (each.header.msg_type !== "status") heard.push(each);
      onOutput?.(each);
    };
    await this.#send("shell", message, { onOutput: listener }, message);
    return heard;
  }

  // Settles with the reply, or with the one given when there will be none.
  #send(channel: RequestChannel, message: Message, listeners: Listeners, reply?: Message): Promise<Message> {
    const { subshellId } = listeners;
    const header = subshellId === undefined ? message.header : { ...message.header, subshell_id: subshellId };
    return new Promise((resolve, reject) => {
      if (this.#dead) {
        reject(this.#dead);
        return;
      }
      const settle = (answer: Message) => {
        this.#pending.delete(header.msg_id);
        resolve(answer);
      };
      this.#pending.set(header.msg_id, { ...listeners, reply, idle: false, settle, fail: reject });
      this.#sockets.send(channel, { ...message, header });
    });
  }

  /** Stops the running cell. */
  interrupt(): Promise<Message> {
    return this.request("control", "interrupt_request", {});
  }

  /** Sends frames as they are. */
  sendFrames(channel: RequestChannel, frames: readonly Uint8Array[]): void {
    this.#sockets.sendFrames(channel, frames);
  }

  /** Resolves when the kernel has echoed a heartbeat. */
  heartbeat(): Promise<void> {
    return this.#sockets.heartbeat();
  }

  /** Asks the kernel to leave, ends it when it does not, and cleans up. */
  async shutdown(): Promise<void> {
    if (!this.#dead) {
      const exited = once(this.process, "exit");
      const asked = this.request("control", "shutdown_request", { restart: false }).catch(() => undefined);
      await Promise.race([Promise.all([asked, exited]), sleep(EXIT_MILLISECONDS)]);
    }
    await this.kill();
  }

  /** Ends the kernel at once and cleans up. */
  async kill(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const exited = once(this.process, "exit");
      this.process.kill("SIGKILL");
      await exited;
    }
    this.#sockets.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  // A broadcast sent before the subscription has arrived is lost, so ready means: welcomed on iopub and answered on shell.
  // A kernel that may send no welcome is asked until its broadcasts are heard.
  async #ready(timeoutSeconds: number, ask: boolean): Promise<void> {
    const welcomed = new Promise<void>((resolve) => {
      this.#welcome = resolve;
    });
    const late = sleep(timeoutSeconds * 1000).then(() => {
      throw new Error(
        problem({
          cannot: "start the kernel",
          found: `no answer within ${timeoutSeconds} s`,
          expected: "an answer to kernel_info_request",
          fix: `look at what it said: ${this.#errorText.trim() || "(nothing)"}`,
        }),
      );
    });
    const asking = setInterval(() => {
      if (ask) this.#sockets.send("shell", newMessage("kernel_info_request", this.#session, undefined, {}));
    }, ASK_MILLISECONDS);
    const answered = welcomed.then(() => this.request("shell", "kernel_info_request", {}));
    try {
      await Promise.race([answered, this.#failed, late]);
    } finally {
      clearInterval(asking);
    }
  }

  #take(channel: RequestChannel | "iopub", message: Message): void {
    if (channel === "iopub") this.#welcome();
    const pending = this.#pending.get(message.parent?.msg_id ?? "");
    if (!pending) {
      if (channel === "iopub") this.onStray(message);
      return;
    }
    if (message.header.msg_type === "input_request") {
      void this.#answerInput(message, pending.onInput);
      return;
    }
    if (channel !== "iopub") pending.reply = message;
    else if (message.header.msg_type === "status" && message.content.execution_state === "idle") pending.idle = true;
    else pending.onOutput?.(message);
    if (pending.reply && pending.idle) pending.settle(pending.reply);
  }

  async #answerInput({ header, content }: Message, onInput: ExecuteOptions["onInput"]): Promise<void> {
    const value = (await onInput?.(String(content.prompt), content.password === true)) ?? "";
    this.#sockets.send("stdin", newMessage("input_reply", this.#session, header, { value }));
  }

  #died(how: string): Error {
    const said = this.#errorText.trim();
    const error = new Error(
      problem({
        cannot: "go on with the kernel",
        found: `its process ended (${how})${said === "" ? "" : ` and said: ${said}`}`,
        expected: "a running kernel",
        fix: "run again; if it happens again, run with fewer cells to find the one that ends it",
      }),
    );
    this.#dead = error;
    for (const pending of this.#pending.values()) pending.fail(error);
    this.#pending.clear();
    return error;
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds).unref());
}
