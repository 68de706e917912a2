/**
 * A run as TensorBoard event files. In: events of training. Out: one file of records that TensorBoard's own reader takes. It
 * writes scalars only, and reads nothing back. No package of npm writes this form today.
 * Sources: TensorFlow's "TFRecord and tf.train.Example" guide (records, masked CRC-32C) and event.proto, summary.proto.
 */
import { appendFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../files.js";
import type { TrainEvent } from "../train/events.js";

/** A file that takes the events of a run. */
export interface TensorBoardWriter {
  write(event: TrainEvent): Promise<void>;
}

/**
 * Opens the event file of a run. A run that goes on writes it anew, so that no step stands twice.
 *
 * @param folder made when missing; point `tensorboard --logdir` at it
 * @param history what the run said before it was interrupted
 * @param wallSeconds the clock, in seconds since 1970
 */
export async function openTensorBoard(
  folder: string,
  history: readonly TrainEvent[],
  wallSeconds: () => number,
): Promise<TensorBoardWriter> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, "events.out.tfevents.fledge");
  const version = record(message([double(1, wallSeconds()), bytes(3, text("brain.Event:2"))]));
  await writeFileAtomic(file, [version, ...history.flatMap((event) => recordsOf(event, wallSeconds()))]);
  return {
    async write(event) {
      for (const data of recordsOf(event, wallSeconds())) await appendFile(file, data);
    },
  };
}

function recordsOf(event: TrainEvent, wallSeconds: number): Uint8Array[] {
  const scalars = scalarsOf(event);
  if (scalars.length === 0 || !("step" in event)) return [];
  // Summary.Value: 1 tag, 2 simple_value.
  const values = scalars.map(([tag, value]) => bytes(1, message([bytes(1, text(tag)), float(2, value)])));
  return [record(message([double(1, wallSeconds), integer(2, event.step), bytes(5, message(values))]))];
}

function scalarsOf(event: TrainEvent): [string, number][] {
  if (event.type === "step") {
    return [
      ["loss/train", event.loss],
      ["optimiser/learning rate", event.learningRate],
      ["optimiser/gradient norm", event.gradientNorm],
      ["speed/tokens per second", event.tokensPerSecond],
      ["memory/bytes", event.memoryBytes],
    ];
  }
  if (event.type !== "evaluation") return [];
  return [
    ["loss/validation", event.validationLoss],
    ["perplexity/validation", event.perplexity],
    ["bits per byte/validation", event.bitsPerByte],
  ];
}

// One record: length, its checksum, data, its checksum.
function record(data: Uint8Array): Uint8Array {
  const framed = new Uint8Array(8 + 4 + data.length + 4);
  const view = new DataView(framed.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedChecksum(framed.subarray(0, 8)), true);
  framed.set(data, 12);
  view.setUint32(12 + data.length, maskedChecksum(data), true);
  return framed;
}

// A CRC of data that holds its own CRC would be weak: TFRecord turns it by 15 bits and adds a constant.
function maskedChecksum(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/**
 * CRC-32C (Castagnoli), reflected, polynomial 0x82F63B78 (RFC 3720, appendix B.4).
 *
 * @returns an unsigned 32-bit integer
 * @example
 * crc32c(new TextEncoder().encode("123456789")); // 0xe3069283
 */
export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

// Protocol buffers: a key of field number and wire type, then the value.
function message(fields: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(fields);
}

function double(field: number, value: number): Uint8Array {
  const data = Buffer.alloc(9);
  data[0] = (field << 3) | 1;
  data.writeDoubleLE(value, 1);
  return data;
}

function float(field: number, value: number): Uint8Array {
  const data = Buffer.alloc(5);
  data[0] = (field << 3) | 5;
  data.writeFloatLE(value, 1);
  return data;
}

function integer(field: number, value: number): Uint8Array {
  return Uint8Array.of(field << 3, ...varint(value));
}

function bytes(field: number, value: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of((field << 3) | 2, ...varint(value.length)), value]);
}

function varint(value: number): number[] {
  const digits: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) digits.push((rest % 128) | 128);
  return [...digits, rest];
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
