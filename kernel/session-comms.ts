/**
 * Comms of cells: messages to and from widgets in the front end, on any target. In: `comms.open`, `comms.register` of cells,
 * and the front end's messages. Out: events to the kernel, calls of the handlers. What a target's messages mean is the business
 * of those who use it. Source: jupyter-client documentation, "Custom messages".
 */
import { randomUUID } from "node:crypto";
import type { Json } from "./protocol.js";

/** What travels on a comm, both ways. */
export interface CommMessage {
  readonly data: Json;
  readonly metadata: Json;
  readonly buffers: readonly Uint8Array[];
}

/** One message of a comm, between kernel and session; buffers in base64. */
export interface CommFrame {
  readonly kind: "open" | "message" | "close";
  readonly commId: string;
  /** Only when it opens. */
  readonly targetName?: string;
  readonly data: Json;
  readonly metadata: Json;
  readonly buffers: readonly string[];
}

/** Takes a message of the front end; a promise is waited for before the kernel calls itself idle. */
export type CommHandler = (message: CommMessage) => void | Promise<void>;

type Send = (frame: CommFrame) => void;

/** One open comm. */
export class Comm {
  readonly id: string;
  readonly targetName: string;
  /** Called for every message of the front end; assign a function. */
  onMessage: CommHandler | undefined;
  /** Called once when the front end closes the comm; assign a function. */
  onClose: CommHandler | undefined;
  readonly #send: Send;
  readonly #forget: () => void;
  #isOpen = true;

  /** Made by `comms`. */
  constructor(id: string, targetName: string, send: Send, forget: () => void) {
    this.id = id;
    this.targetName = targetName;
    this.#send = send;
    this.#forget = forget;
  }

  /** Whether messages can still be sent. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Sends a message to the front end; on a closed comm it does nothing. */
  send(data: Json, options: Partial<Pick<CommMessage, "metadata" | "buffers">> = {}): void {
    if (this.#isOpen) this.#send(frame("message", this.id, { ...options, data }));
  }

  /** Closes the comm and tells the front end. */
  close(data: Json = {}): void {
    if (!this.#isOpen) return;
    this.closed();
    this.#send(frame("close", this.id, { data }));
  }

  /** Notes that the front end has closed it. */
  closed(): void {
    this.#isOpen = false;
    this.#forget();
  }
}

/** What cells find as `comms`. */
export interface Comms {
  /**
   * Opens a comm to a target of the front end.
   *
   * @param targetName such as `jupyter.widget`
   * @param message first data, metadata and buffers; default empty
   */
  open(targetName: string, message?: Partial<CommMessage>): Comm;
  /**
   * Lets the front end open comms to a target of this notebook. Registering a name again replaces its handler.
   *
   * @param handler gets each new comm with the message that opened it
   */
  register(targetName: string, handler: (comm: Comm, message: CommMessage) => void | Promise<void>): void;
}

/** The comms of one session. */
export class SessionComms implements Comms {
  readonly #send: Send;
  readonly #open = new Map<string, Comm>();
  readonly #targets = new Map<string, (comm: Comm, message: CommMessage) => void | Promise<void>>();

  /** @param send takes every message for the front end */
  constructor(send: Send) {
    this.#send = send;
  }

  open(targetName: string, message: Partial<CommMessage> = {}): Comm {
    const comm = this.#made(randomUUID(), targetName);
    this.#send({ ...frame("open", comm.id, message), targetName });
    return comm;
  }

  register(targetName: string, handler: (comm: Comm, message: CommMessage) => void | Promise<void>): void {
    this.#targets.set(targetName, handler);
  }

  /** Takes a message of the front end. @throws whatever the handler throws */
  async take({ kind, commId, targetName = "", data, metadata, buffers }: CommFrame): Promise<void> {
    const message = { data, metadata, buffers: buffers.map((text) => new Uint8Array(Buffer.from(text, "base64"))) };
    if (kind === "open") {
      const handler = this.#targets.get(targetName);
      if (handler) await handler(this.#made(commId, targetName), message);
      else this.#send(frame("close", commId, {})); // nobody here knows the target
      return;
    }
    const comm = this.#open.get(commId);
    if (kind === "close") comm?.closed();
    await (kind === "close" ? comm?.onClose : comm?.onMessage)?.(message);
  }

  #made(id: string, targetName: string): Comm {
    const comm = new Comm(id, targetName, this.#send, () => this.#open.delete(id));
    this.#open.set(id, comm);
    return comm;
  }
}

function frame(kind: CommFrame["kind"], commId: string, message: Partial<CommMessage>): CommFrame {
  const { data = {}, metadata = {}, buffers = [] } = message;
  const base64 = buffers.map((each) => Buffer.from(each.buffer, each.byteOffset, each.byteLength).toString("base64"));
  return { kind, commId, data, metadata, buffers: base64 };
}
