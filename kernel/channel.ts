/**
 * What the kernel process and its session process say to each other, and how output keeps its order on the way.
 * The session has three outgoing pipes: fd 1 and fd 2 (text, also of native code and child processes) and fd 3 (events,
 * one JSON line each). A barrier written to all three pipes separates what came before from what came after; marks inside
 * the text carry barriers and the execution that the following text belongs to.
 */
import { StringDecoder } from "node:string_decoder";
import type { Json } from "./protocol.js";
import type { CommFrame } from "./session-comms.js";

/** Global name under which compiled cells find the kernel's helpers. */
export const HOST_NAME = "__fledge";

/** What the kernel asks of the session, one JSON line each on fd 4. */
export type SessionCommand =
  | ExecuteCommand
  | { readonly type: "interrupt"; readonly sequence: number }
  | { readonly type: "input"; readonly id: number; readonly value: string }
  | CommCommand
  | { readonly type: "exit" };

/** Hands a comm message of the front end to its handler; ends with `done`, as a cell does. */
export interface CommCommand {
  readonly type: "comm";
  readonly execution: number;
  readonly frame: CommFrame;
}

/** What the session's listening thread says of its own accord, one JSON line each on fd 4. */
export interface SessionNote {
  /** Highest resident memory of the process so far. */
  readonly peakMemoryBytes: number;
}

/** Runs one compiled cell. */
export interface ExecuteCommand {
  readonly type: "execute";
  /** Number given by the kernel; every output carries it back. */
  readonly execution: number;
  readonly cell: CompiledCell;
  /** Whether the front end answers questions of the cell. */
  readonly allowInput: boolean;
  /** Name → compiled expression, evaluated after the cell succeeded. */
  readonly userExpressions: Readonly<Record<string, CompiledCell>>;
}

/** JavaScript of a cell and what is needed to speak of its TypeScript lines. */
export interface CompiledCell {
  readonly fileName: string;
  readonly source: string;
  readonly code: string;
  /** Source map, version 3, JSON. */
  readonly map: string;
}

/** An error as Jupyter shows it. */
export interface ErrorReport {
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
}

/** What the session tells the kernel. */
export type SessionEvent =
  | { readonly type: "ready" }
  | { readonly type: "barrier"; readonly barrier: number }
  | {
      readonly type: "display";
      readonly execution: number;
      readonly data: Json;
      readonly displayId?: string;
      readonly update: boolean;
    }
  | { readonly type: "clear"; readonly execution: number; readonly wait: boolean }
  | {
      readonly type: "input";
      readonly execution: number;
      readonly id: number;
      readonly prompt: string;
      readonly password: boolean;
    }
  | { readonly type: "comm"; readonly execution: number; readonly frame: CommFrame }
  | { readonly type: "result"; readonly execution: number; readonly data: Json }
  | {
      readonly type: "done";
      readonly execution: number;
      /** Whether the cell was stopped and something it waited for winds up; another `done` follows when that has ended. */
      readonly windsUp?: true;
      readonly error?: ErrorReport;
      readonly userExpressions: Readonly<Record<string, Json>>;
    };

/** The pipes of the session, in the order of their file descriptors. */
export type PipeName = "stdout" | "stderr" | "events";

/** The mark that separates what was written before barrier number `barrier` from what comes after. */
export function barrierMark(nonce: string, barrier: number): string {
  return `\0${nonce}:b${barrier}\0`;
}

/** The mark that says which execution the following text belongs to. */
export function executionMark(nonce: string, execution: number): string {
  return `\0${nonce}:x${execution}\0`;
}

type TextPart = { readonly text: string } | { readonly barrier: number } | { readonly execution: number };

/** Splits the bytes of a text pipe into text and marks. Holds back an unfinished character or mark. */
export class MarkedTextReader {
  readonly #nonce: string;
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";

  constructor(nonce: string) {
    this.#nonce = nonce;
  }

  /** Takes the next bytes of the pipe. @returns the parts that are complete */
  read(bytes: Buffer): TextPart[] {
    const parts: TextPart[] = [];
    let text = this.#rest + this.#decoder.write(bytes);
    const start = `\0${this.#nonce}:`;
    for (let at = text.indexOf(start); at >= 0; at = text.indexOf(start)) {
      const end = text.indexOf("\0", at + start.length);
      if (end < 0) break;
      if (at > 0) parts.push({ text: text.slice(0, at) });
      const number = Number(text.slice(at + start.length + 1, end));
      parts.push(text[at + start.length] === "b" ? { barrier: number } : { execution: number });
      text = text.slice(end + 1);
    }
    const held = heldBack(text, start);
    if (held > 0) parts.push({ text: text.slice(0, held) });
    this.#rest = text.slice(held);
    return parts;
  }
}

// Index from which the text may be the beginning of a mark.
function heldBack(text: string, start: string): number {
  const at = text.lastIndexOf("\0");
  if (at < 0) return text.length;
  const full = text.indexOf(start);
  if (full >= 0) return full;
  return start.startsWith(text.slice(at)) ? at : text.length;
}

/** Splits a byte stream into lines. */
export class LineReader {
  readonly #decoder = new StringDecoder("utf8");
  #parts: string[] = [];

  /** Takes the next bytes. @returns the lines that are complete, without their line feed */
  read(bytes: Buffer): string[] {
    const lines = this.#decoder.write(bytes).split("\n");
    const last = lines.pop() ?? "";
    if (lines.length > 0) {
      lines[0] = this.#parts.join("") + lines[0];
      this.#parts = [];
    }
    this.#parts.push(last);
    return lines;
  }
}
