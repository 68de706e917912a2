/**
 * The order of shell requests that wait for each other: one queue for the shell and one for every subshell (JEP 91). In:
 * requests. Out: calls of a handler, one at a time in each queue. After an error, what waits in the same queue is aborted.
 * Source: Jupyter enhancement proposal 91, "Kernel subshells".
 */
import { randomUUID } from "node:crypto";
import type { Message } from "./protocol.js";
import type { RequestChannel } from "./sockets.js";

/** A request that waits its turn. */
export interface QueuedRequest {
  readonly channel: RequestChannel;
  readonly message: Message;
}

/** What is done with requests. */
export interface QueueHandlers {
  /** Handles a request. @returns whether those that wait behind it are to be aborted */
  handle(request: QueuedRequest): Promise<boolean>;
  abort(request: QueuedRequest): void;
}

interface Queue {
  readonly waiting: QueuedRequest[];
  busy: boolean;
}

// What the shell itself is called among the subshells.
const MAIN = "";

/** The queues of one kernel. */
export class ShellQueues {
  readonly #handlers: QueueHandlers;
  readonly #queues = new Map<string, Queue>([[MAIN, { waiting: [], busy: false }]]);

  constructor(handlers: QueueHandlers) {
    this.#handlers = handlers;
  }

  /** Makes a subshell. @returns its id */
  create(): string {
    const id = randomUUID();
    this.#queues.set(id, { waiting: [], busy: false });
    return id;
  }

  /** Ends a subshell; what waits in it is aborted, what runs in it goes on. @returns whether there was one */
  delete(id: string): boolean {
    if (id === MAIN) return false;
    for (const request of this.#queues.get(id)?.waiting.splice(0) ?? []) this.#handlers.abort(request);
    return this.#queues.delete(id);
  }

  /** Ids of the subshells. */
  list(): string[] {
    return [...this.#queues.keys()].filter((id) => id !== MAIN);
  }

  /** Puts a request into the queue that its header names. @returns false when there is no such subshell */
  push(request: QueuedRequest): boolean {
    const queue = this.#queues.get(String(request.message.header.subshell_id ?? MAIN));
    if (!queue) return false;
    queue.waiting.push(request);
    if (!queue.busy) void this.#run(queue);
    return true;
  }

  /** Whether a message of a comm waits in any queue. */
  holdsComm(commId: string): boolean {
    return [...this.#queues.values()].some(({ waiting }) =>
      waiting.some(({ message }) => message.header.msg_type.startsWith("comm_") && message.content.comm_id === commId),
    );
  }

  async #run(queue: Queue): Promise<void> {
    queue.busy = true;
    for (let next = queue.waiting.shift(); next; next = queue.waiting.shift()) {
      if (!(await this.#handlers.handle(next))) continue;
      // What was sent before the error was known must not run.
      await new Promise((resolve) => setImmediate(resolve));
      for (const request of queue.waiting.splice(0)) this.#handlers.abort(request);
    }
    queue.busy = false;
  }
}
