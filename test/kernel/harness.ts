/**
 * What the kernel's tests share: a kernel started over real sockets in a folder of its own, and cells with all that came back.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ExecuteOptions, KernelClient } from "../../kernel/client.js";
import type { Json, Message } from "../../kernel/protocol.js";

/** Everything that came back from one cell. */
export interface CellRun {
  readonly reply: Json;
  readonly messages: readonly Message[];
  readonly stdout: string;
  readonly stderr: string;
  /** text/plain of the result. */
  readonly result: string | undefined;
}

/** Starts a kernel in an empty folder, hands it to `use`, and leaves nothing behind. */
export async function withKernel(use: (client: KernelClient, folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "fledge-test-"));
  const client = await KernelClient.start({ folder });
  try {
    await use(client, folder);
  } finally {
    await client.shutdown();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a cell and gathers what it showed. */
export async function runCell(client: KernelClient, code: string, options: ExecuteOptions = {}): Promise<CellRun> {
  const messages: Message[] = [];
  const onOutput = (message: Message) => {
    messages.push(message);
    options.onOutput?.(message);
  };
  const reply = await client.execute(code, { ...options, onOutput });
  const streamed = (name: string) =>
    messages
      .filter((message) => message.header.msg_type === "stream" && message.content.name === name)
      .map((message) => String(message.content.text))
      .join("");
  const result = messages.find((message) => message.header.msg_type === "execute_result");
  const data = result?.content.data as Json | undefined;
  return {
    reply: reply.content,
    messages,
    stdout: streamed("stdout"),
    stderr: streamed("stderr"),
    result: data?.["text/plain"] as string | undefined,
  };
}

/** The text of a cell's traceback. */
export function tracebackOf(run: CellRun): string {
  return Array.isArray(run.reply.traceback) ? run.reply.traceback.join("\n") : "";
}

/** Resolves when a message with the given text on stdout arrives. */
export function whenPrinted(text: string): {
  readonly seen: Promise<void>;
  readonly onOutput: (message: Message) => void;
} {
  let printed = "";
  let resolve: () => void = () => undefined;
  const seen = new Promise<void>((settle) => {
    resolve = settle;
  });
  const onOutput = (message: Message) => {
    if (message.header.msg_type === "stream") printed += String(message.content.text);
    if (printed.includes(text)) resolve();
  };
  return { seen, onOutput };
}
