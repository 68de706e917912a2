/**
 * Jupyter's messaging protocol 5.4 on the wire. In: multipart frames. Out: checked messages, and back again.
 * Signs and verifies with HMAC-SHA256; a frame list that is malformed or wrongly signed becomes `undefined`, never an
 * exception and never a reply. Knows no socket.
 * Source: jupyter-client documentation, "Messaging in Jupyter".
 */
import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";

/** Version of the protocol that every header carries. */
export const PROTOCOL_VERSION = "5.4";

/** A JSON object, as it travels in the content and metadata of a message. */
export type Json = Record<string, unknown>;

/** Identifies one message; a reply carries its request's header as parent. */
export interface Header {
  readonly msg_id: string;
  readonly session: string;
  readonly username: string;
  readonly date: string;
  readonly msg_type: string;
  readonly version: string;
  /** The subshell that a request is meant for (JEP 91); absent or null for the shell itself. */
  readonly subshell_id?: string | null;
}

/** Parts of a message that few have. */
export interface MessageExtras {
  readonly identities?: readonly Uint8Array[];
  readonly metadata?: Json;
  readonly buffers?: readonly Uint8Array[];
}

/** One message of any channel. `identities` are the routing frames in front of the delimiter. */
export interface Message {
  readonly identities: readonly Uint8Array[];
  readonly header: Header;
  readonly parent: Header | undefined;
  readonly metadata: Json;
  readonly content: Json;
  readonly buffers: readonly Uint8Array[];
}

const DELIMITER = "<IDS|MSG>";

/**
 * Makes a message with a fresh id.
 *
 * @param type message type, such as `execute_reply`
 * @param session id of the sender's session
 * @param parent header of the request that this message belongs to
 * @example
 * newMessage("status", session, parent, { execution_state: "busy" });
 */
export function newMessage(
  type: string,
  session: string,
  parent: Header | undefined,
  content: Json,
  options: MessageExtras = {},
): Message {
  const header = {
    msg_id: randomUUID(),
    session,
    username: "fledge",
    date: new Date().toISOString(),
    msg_type: type,
    version: PROTOCOL_VERSION,
  };
  return {
    identities: options.identities ?? [],
    header,
    parent,
    metadata: options.metadata ?? {},
    content,
    buffers: options.buffers ?? [],
  };
}

/** Serialises and signs a message. @param key signing key; an empty key leaves the signature empty. */
export function encodeMessage(message: Message, key: string): Uint8Array[] {
  const parts = [message.header, message.parent ?? {}, message.metadata, message.content].map((part) =>
    Buffer.from(JSON.stringify(part)),
  );
  return [
    ...message.identities,
    Buffer.from(DELIMITER),
    Buffer.from(signature(parts, key)),
    ...parts,
    ...message.buffers,
  ];
}

/**
 * Reads a message from its frames.
 *
 * @returns the message, or undefined when the frames are malformed or the signature is wrong
 */
export function decodeMessage(frames: readonly Uint8Array[], key: string): Message | undefined {
  const delimiter = frames.findIndex((frame) => frame.length === DELIMITER.length && text(frame) === DELIMITER);
  const [signed, header, parent, metadata, content] = frames.slice(delimiter + 1);
  if (delimiter < 0 || !signed || !header || !parent || !metadata || !content) return undefined;
  const expected = Buffer.from(signature([header, parent, metadata, content], key));
  if (expected.length !== signed.length || !timingSafeEqual(expected, signed)) return undefined;
  try {
    const parsed = [header, parent, metadata, content].map((part) => JSON.parse(text(part)));
    const [parsedHeader, parsedParent, parsedMetadata, parsedContent] = parsed;
    if (!parsed.every(isObject) || typeof parsedHeader.msg_type !== "string") return undefined;
    // A header goes back as a parent; depth that JSON.parse bears overflows the stack of JSON.stringify.
    if (Object.values(parsedHeader).some((value) => typeof value === "object" && value !== null)) return undefined;
    return {
      identities: frames.slice(0, delimiter),
      header: parsedHeader as Header,
      parent: typeof parsedParent.msg_id === "string" ? (parsedParent as Header) : undefined,
      metadata: parsedMetadata,
      content: parsedContent,
      buffers: frames.slice(delimiter + 6),
    };
  } catch {
    return undefined; // not JSON
  }
}

function signature(parts: readonly Uint8Array[], key: string): string {
  if (key === "") return "";
  const hmac = createHmac("sha256", key);
  for (const part of parts) hmac.update(part);
  return hmac.digest("hex");
}

function text(frame: Uint8Array): string {
  return Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString("utf8");
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
