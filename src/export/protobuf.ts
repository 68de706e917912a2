/**
 * Protocol-buffer messages, written only. In: field numbers and values. Out: the bytes of a message in pieces, so that a
 * model's weights go from memory to disk without being copied. A message is built from the inside out, since each is preceded
 * by its length. It knows no schema and reads nothing. Format: https://protobuf.dev/programming-guides/encoding
 */

/** A message, or a part of one: its fields one after another. */
export interface Message {
  readonly byteLength: number;
  readonly pieces: readonly Uint8Array[];
}

/** An integer field; negative numbers take ten bytes, as the format says. */
export function integer(field: number, value: number | bigint): Message {
  return bytesOf([...varint(field << 3), ...varint(value)]);
}

/** A 32-bit float field. */
export function float(field: number, value: number): Message {
  const bits = new Uint8Array(Float32Array.of(value).buffer);
  return bytesOf([...varint((field << 3) | 5), ...bits]);
}

/** A text field, UTF-8. */
export function text(field: number, value: string): Message {
  return nested(field, bytesOf(Buffer.from(value, "utf8")));
}

/** A field of raw bytes; they are kept, not copied. */
export function bytes(field: number, value: Uint8Array): Message {
  return nested(field, bytesOf(value));
}

/** A message inside a message. */
export function message(field: number, ...fields: readonly Message[]): Message {
  return nested(field, fieldsOf(fields));
}

/** Fields one after another. */
export function fieldsOf(fields: readonly Message[]): Message {
  return {
    byteLength: fields.reduce((sum, { byteLength }) => sum + byteLength, 0),
    pieces: fields.flatMap(({ pieces }) => pieces),
  };
}

function nested(field: number, content: Message): Message {
  return fieldsOf([bytesOf([...varint((field << 3) | 2), ...varint(content.byteLength)]), content]);
}

function bytesOf(values: Uint8Array | readonly number[]): Message {
  const piece = values instanceof Uint8Array ? values : Uint8Array.from(values);
  return { byteLength: piece.byteLength, pieces: [piece] };
}

// Seven bits a byte, the lowest first; the top bit says that more follow.
function varint(value: number | bigint): number[] {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 0x80n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  out.push(Number(rest));
  return out;
}
