/**
 * Connection files: where a kernel's sockets are and with which key its messages are signed. In: a path, or nothing.
 * Out: a checked connection, or a fresh one on free ports. It opens no socket of the kernel.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { problem } from "../src/message.js";

/** What a Jupyter connection file says. */
export interface ConnectionInfo {
  readonly transport: "tcp" | "ipc";
  readonly ip: string;
  readonly shell_port: number;
  readonly iopub_port: number;
  readonly stdin_port: number;
  readonly control_port: number;
  readonly hb_port: number;
  readonly key: string;
  readonly signature_scheme: string;
}

/** Reads a Jupyter connection file. @throws Error when the file is missing, SyntaxError when it is no connection file */
export function readConnectionFile(path: string | undefined): ConnectionInfo {
  const cannot = "start the kernel";
  const fix = "let Jupyter start it, or run `node dist/kernel/run.js <notebook>`";
  if (path === undefined) {
    throw new Error(problem({ cannot, found: "no argument", expected: "the path of a connection file", fix }));
  }
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    throw new Error(problem({ cannot, found: `no readable file "${path}"`, expected: "a connection file", fix }));
  }
  try {
    const connection: ConnectionInfo = JSON.parse(text);
    if (typeof connection.shell_port === "number" && typeof connection.key === "string") return connection;
  } catch {
    // worded below
  }
  throw new SyntaxError(
    problem({ cannot, found: `"${path}" is no connection file`, expected: "JSON with ports and a key", fix }),
  );
}

/** A connection to five free ports of this machine, with a fresh key. */
export async function freeConnection(): Promise<ConnectionInfo> {
  const servers = await Promise.all(Array.from({ length: 5 }, listen));
  const [shell, iopub, stdin, control, heartbeat] = servers.map((server) => {
    const address = server.address();
    return typeof address === "object" && address ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return {
    transport: "tcp",
    ip: "127.0.0.1",
    shell_port: shell ?? 0,
    iopub_port: iopub ?? 0,
    stdin_port: stdin ?? 0,
    control_port: control ?? 0,
    hb_port: heartbeat ?? 0,
    key: randomBytes(32).toString("hex"),
    signature_scheme: "hmac-sha256",
  };
}

async function listen(): Promise<Server> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
