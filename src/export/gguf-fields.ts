/**
 * The head of a GGUF file. In: fields of a name, a type and a value. Out: their bytes, little-endian. It knows nothing of
 * models. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */

// The format's numbers for types of values.
const TYPE = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const;
type Scalar = Exclude<keyof typeof TYPE, "array">;
type ScalarValue = string | number | boolean;

/** One entry of the head. */
export interface Field {
  readonly name: string;
  readonly type: Scalar;
  readonly value: ScalarValue | readonly ScalarValue[];
}

/** A field of one value. */
export function field(name: string, type: Scalar, value: ScalarValue): Field {
  return { name, type, value };
}

/** A field of many values of one type. */
export function arrayOf(name: string, type: Scalar, value: readonly ScalarValue[]): Field {
  return { name, type, value };
}

/** Collects the head of a file. */
export class GgufText {
  private readonly pieces: Uint8Array[] = [];

  raw(text: string): this {
    this.pieces.push(Buffer.from(text, "utf8"));
    return this;
  }

  uint32(value: number): this {
    this.pieces.push(new Uint8Array(Uint32Array.of(value).buffer));
    return this;
  }

  uint64(value: number): this {
    this.pieces.push(new Uint8Array(BigUint64Array.of(BigInt(value)).buffer));
    return this;
  }

  string(text: string): this {
    return this.uint64(Buffer.byteLength(text, "utf8")).raw(text);
  }

  field({ name, type, value }: Field): this {
    this.string(name);
    if (!Array.isArray(value)) return this.uint32(TYPE[type]).scalar(type, value as ScalarValue);
    this.uint32(TYPE.array).uint32(TYPE[type]).uint64(value.length);
    for (const one of value as readonly ScalarValue[]) this.scalar(type, one);
    return this;
  }

  /** All of it, with zeros up to the next multiple of `alignment`. */
  bytes(alignment: number): Uint8Array {
    const written = Buffer.concat(this.pieces);
    return Buffer.concat([written], Math.ceil(written.length / alignment) * alignment);
  }

  private scalar(type: Scalar, value: ScalarValue): this {
    if (type === "string") return this.string(String(value));
    if (type === "bool") this.pieces.push(Uint8Array.of(value ? 1 : 0));
    else if (type === "float32") this.pieces.push(new Uint8Array(Float32Array.of(Number(value)).buffer));
    else this.uint32(Number(value) >>> 0);
    return this;
  }
}
