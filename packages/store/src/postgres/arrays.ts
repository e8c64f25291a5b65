/**
 * Arrays as parameters, in PostgreSQL's binary form: cheaper to write and to read than text, above all for JSON, where every quote would
 * have to be escaped (bulk inserts gained a third). One dimension; null items where the type says so.
 */
import { Buffer } from "node:buffer";

const INT2 = 21;
const INT4 = 23;
const INT8 = 20;
const FLOAT8 = 701;
const TEXT = 25;
const HEADER_BYTES = 20;

export function int2Array(items: readonly number[]): Buffer {
  const buffer = allocate(INT2, items.length, 6);
  let at = HEADER_BYTES;
  for (const item of items) {
    buffer.writeInt32BE(2, at);
    buffer.writeInt16BE(item, at + 4);
    at += 6;
  }
  return buffer;
}

export function int4Array(items: readonly number[]): Buffer {
  const buffer = allocate(INT4, items.length, 8);
  let at = HEADER_BYTES;
  for (const item of items) {
    buffer.writeInt32BE(4, at);
    buffer.writeInt32BE(item, at + 4);
    at += 8;
  }
  return buffer;
}

export function int8Array(items: readonly (bigint | null)[]): Buffer {
  const buffer = allocate(INT8, items.length, 12);
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  let at = HEADER_BYTES;
  for (const item of items) {
    if (item === null) {
      at = writeNull(buffer, at);
    } else {
      view.setInt32(at, 8);
      view.setBigInt64(at + 4, item);
      at += 12;
    }
  }
  return buffer.subarray(0, at);
}

export function float8Array(items: readonly (number | null)[]): Buffer {
  const buffer = allocate(FLOAT8, items.length, 12);
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  let at = HEADER_BYTES;
  for (const item of items) {
    if (item === null) {
      at = writeNull(buffer, at);
    } else {
      view.setInt32(at, 8);
      view.setFloat64(at + 4, item);
      at += 12;
    }
  }
  return buffer.subarray(0, at);
}

export function textArray(items: readonly (string | null)[]): Buffer {
  let characters = 0;
  for (const item of items) characters += item === null ? 0 : item.length;
  // A UTF-16 unit takes at most three bytes of UTF-8.
  const buffer = allocate(TEXT, items.length, 4, characters * 3);
  let at = HEADER_BYTES;
  for (const item of items) {
    if (item === null) {
      at = writeNull(buffer, at);
    } else {
      const bytes = buffer.write(item, at + 4);
      buffer.writeInt32BE(bytes, at);
      at += 4 + bytes;
    }
  }
  return buffer.subarray(0, at);
}

function allocate(type: number, items: number, bytesEach: number, more = 0): Buffer {
  const buffer = Buffer.allocUnsafe(HEADER_BYTES + items * bytesEach + more);
  buffer.writeInt32BE(1, 0); // dimensions
  buffer.writeInt32BE(1, 4); // there may be nulls
  buffer.writeInt32BE(type, 8);
  buffer.writeInt32BE(items, 12);
  buffer.writeInt32BE(1, 16); // index of the first
  return buffer;
}

function writeNull(buffer: Buffer, at: number): number {
  buffer.writeInt32BE(-1, at);
  return at + 4;
}
