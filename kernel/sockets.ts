/**
 * The only file that knows ZeroMQ. In: a connection file's content and a handler. Out: the five sockets of a kernel, or of
 * a client of one. Messages of one socket leave in the order in which they were given, each send awaited: zeromq.js sends
 * every 513th message of a burst late when nobody waits. It interprets no message.
 */
import { randomUUID } from "node:crypto";
import { Dealer, Request, Router, Subscriber, XPublisher } from "zeromq";
import type { ConnectionInfo } from "./connection.js";
import { decodeMessage, encodeMessage, type Message, newMessage } from "./protocol.js";

/** The channels on which a kernel takes requests and sends replies. */
export type RequestChannel = "shell" | "control" | "stdin";

/** The kernel's end of the sockets. */
export interface KernelSockets {
  /** Queues a reply; it leaves after everything queued on that channel before. */
  send(channel: RequestChannel, message: Message): void;
  /** Queues a broadcast on iopub. */
  publish(message: Message): void;
  /** Sends what is queued, then closes all sockets. */
  close(): Promise<void>;
}

/** A client's end of the sockets. */
export interface ClientSockets {
  send(channel: RequestChannel, message: Message): void;
  /** Sends frames as they are: for tests of bad input. */
  sendFrames(channel: RequestChannel, frames: readonly Uint8Array[]): void;
  /** Sends one heartbeat and resolves when its echo is there. */
  heartbeat(): Promise<void>;
  close(): void;
}

interface Sendable {
  send(frames: Uint8Array[]): Promise<void>;
}

interface Receivable {
  readonly closed: boolean;
  receive(): Promise<Uint8Array[]>;
}

// PUB and ROUTER never block with these, so that an awaited send settles at once.
const NEVER_BLOCK = { sendTimeout: 0, sendHighWaterMark: 0, receiveHighWaterMark: 0, linger: 1000 } as const;

/**
 * Binds the kernel's sockets.
 *
 * @param connection content of the connection file; port 0 is not allowed
 * @param session id of the kernel's session, used in the welcome message of iopub
 * @param onRequest is called for every correctly signed message of shell, control and stdin
 * @throws Error when an address is in use
 */
export async function bindKernelSockets(
  connection: ConnectionInfo,
  session: string,
  onRequest: (channel: RequestChannel, message: Message) => void,
): Promise<KernelSockets> {
  const routers = {
    shell: new Router(NEVER_BLOCK),
    control: new Router(NEVER_BLOCK),
    stdin: new Router(NEVER_BLOCK),
  };
  const iopub = new XPublisher(NEVER_BLOCK);
  // No Reply socket: bytes that are no ZeroMQ, sent to its port, leave it waiting for ever.
  const heartbeat = new Router({ ...NEVER_BLOCK, linger: 0 });
  await Promise.all([
    routers.shell.bind(address(connection, connection.shell_port)),
    routers.control.bind(address(connection, connection.control_port)),
    routers.stdin.bind(address(connection, connection.stdin_port)),
    iopub.bind(address(connection, connection.iopub_port)),
    heartbeat.bind(address(connection, connection.hb_port)),
  ]);
  const outboxes = {
    shell: outbox(routers.shell),
    control: outbox(routers.control),
    stdin: outbox(routers.stdin),
    iopub: outbox(iopub),
    heartbeat: outbox(heartbeat),
  };
  for (const channel of ["shell", "control", "stdin"] as const) {
    receive(routers[channel], (frames) => {
      const message = decodeMessage(frames, connection.key);
      if (message) onRequest(channel, message);
    });
  }
  receive(iopub, ([subscription]) => {
    // 1 = subscribe; JEP 65: the client learns that it will miss nothing from here on.
    if (subscription?.[0] !== 1) return;
    const topic = Buffer.from(subscription.subarray(1));
    const welcome = newMessage("iopub_welcome", session, undefined, { subscription: topic.toString() });
    outboxes.iopub.push(encodeMessage({ ...welcome, identities: [topic] }, connection.key));
  });
  receive(heartbeat, (frames) => outboxes.heartbeat.push(frames));
  return {
    send: (channel, message) => outboxes[channel].push(encodeMessage(message, connection.key)),
    publish: (message) => {
      const topic = Buffer.from(`kernel.${session}.${message.header.msg_type}`);
      outboxes.iopub.push(encodeMessage({ ...message, identities: [topic] }, connection.key));
    },
    close: async () => {
      await Promise.all(Object.values(outboxes).map((box) => box.drained()));
      for (const socket of [...Object.values(routers), iopub, heartbeat]) socket.close();
    },
  };
}

/**
 * Connects a client to a kernel's sockets. Subscribes to everything on iopub.
 *
 * @param onMessage is called for every correctly signed message
 */
export function connectClientSockets(
  connection: ConnectionInfo,
  onMessage: (channel: RequestChannel | "iopub", message: Message) => void,
): ClientSockets {
  const options = { receiveHighWaterMark: 0, sendHighWaterMark: 0, linger: 0 };
  // The kernel asks for input under the identity of the request, so all channels bear the same one.
  const identified = { ...options, routingId: randomUUID() };
  const dealers = { shell: new Dealer(identified), control: new Dealer(identified), stdin: new Dealer(identified) };
  const iopub = new Subscriber({ receiveHighWaterMark: 0, linger: 0 });
  const heartbeat = new Request({ linger: 0 });
  dealers.shell.connect(address(connection, connection.shell_port));
  dealers.control.connect(address(connection, connection.control_port));
  dealers.stdin.connect(address(connection, connection.stdin_port));
  iopub.connect(address(connection, connection.iopub_port));
  iopub.subscribe();
  heartbeat.connect(address(connection, connection.hb_port));
  for (const [channel, socket] of [...Object.entries(dealers), ["iopub", iopub]] as const) {
    receive(socket, (frames) => {
      const message = decodeMessage(frames, connection.key);
      if (message) onMessage(channel as RequestChannel | "iopub", message);
    });
  }
  const outboxes = { shell: outbox(dealers.shell), control: outbox(dealers.control), stdin: outbox(dealers.stdin) };
  return {
    send: (channel, message) => outboxes[channel].push(encodeMessage(message, connection.key)),
    sendFrames: (channel, frames) => outboxes[channel].push([...frames]),
    heartbeat: async () => {
      await heartbeat.send("ping");
      await heartbeat.receive();
    },
    close: () => {
      for (const socket of [...Object.values(dealers), iopub, heartbeat]) socket.close();
    },
  };
}

function address(connection: ConnectionInfo, port: number): string {
  return connection.transport === "ipc"
    ? `ipc://${connection.ip}-${port}`
    : `${connection.transport}://${connection.ip}:${port}`;
}

async function receive(socket: Receivable, handle: (frames: Uint8Array[]) => void): Promise<void> {
  // On a closed socket receive() throws at once instead of rejecting.
  while (!socket.closed) {
    const frames = await socket.receive().catch(() => undefined); // undefined: closed while waiting
    if (!frames) return;
    handle(frames);
  }
}

function outbox(socket: Sendable): { push(frames: Uint8Array[]): void; drained(): Promise<void> } {
  const queue: Uint8Array[][] = [];
  let sending: Promise<void> | undefined;
  const sendAll = async () => {
    for (let frames = queue.shift(); frames; frames = queue.shift()) {
      await socket.send(frames).catch(() => undefined); // a client that is gone
    }
    sending = undefined;
  };
  return {
    push: (frames) => {
      queue.push(frames);
      sending ??= sendAll();
    },
    drained: async () => {
      while (sending) await sending;
    },
  };
}
