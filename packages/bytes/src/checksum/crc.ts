/** Input bytes of one step. */
const SLICES = 16
/** Below, aligning and looking at words takes longer than it saves. */
const SHORT = 64

/** Whether words of a buffer have their first byte lowest, which the steps of 16 bytes rest on. */
const IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

/**
 * Sixteen tables of 256 values behind each other, for slicing-by-16 (Kounavis and Berry, 2005): seven times
 * as fast as one table.
 */
export function crcTables(polynomial: number): Int32Array {
  const tables = new Int32Array(SLICES * 256)
  for (let byte = 0; byte < 256; byte++) {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1
    tables[byte] = value
  }
  for (let index = 256; index < tables.length; index++) {
    const previous = tables[index - 256] as number
    tables[index] = (previous >>> 8) ^ (tables[previous & 0xff] as number)
  }
  return tables
}

/** Runs the bytes from `start` to `end` through a reflected CRC; neither inverts before nor after. */
export function updateCrc(
  tables: Int32Array,
  crc: number,
  data: Uint8Array,
  start: number,
  end: number,
): number {
  if (end - start < SHORT || !IS_LITTLE_ENDIAN) return updateBytes(tables, crc, data, start, end) >>> 0
  const aligned = start + ((4 - ((data.byteOffset + start) % 4)) % 4)
  const steps = Math.floor((end - aligned) / SLICES)
  const words = new Int32Array(data.buffer, data.byteOffset + aligned, steps * 4)
  const head = updateBytes(tables, crc, data, start, aligned)
  const middle = updateWords(tables, head, words)
  return updateBytes(tables, middle, data, aligned + steps * SLICES, end) >>> 0
}

function updateBytes(t: Int32Array, crc: number, data: Uint8Array, start: number, end: number): number {
  let value = crc
  for (let index = start; index < end; index++) {
    value = (value >>> 8) ^ (t[(value ^ (data[index] as number)) & 0xff] as number)
  }
  return value
}

/** Offsets into the tables are written out: V8 makes a lookup of one addition of them, and no more. */
function updateWords(t: Int32Array, crc: number, words: Int32Array): number {
  let value = crc
  for (let index = 0; index < words.length; index += 4) {
    const a = value ^ (words[index] as number)
    const b = words[index + 1] as number
    const c = words[index + 2] as number
    const d = words[index + 3] as number
    value =
      (t[3840 + (a & 0xff)] as number) ^
      (t[3584 + ((a >>> 8) & 0xff)] as number) ^
      (t[3328 + ((a >>> 16) & 0xff)] as number) ^
      (t[3072 + (a >>> 24)] as number) ^
      (t[2816 + (b & 0xff)] as number) ^
      (t[2560 + ((b >>> 8) & 0xff)] as number) ^
      (t[2304 + ((b >>> 16) & 0xff)] as number) ^
      (t[2048 + (b >>> 24)] as number) ^
      (t[1792 + (c & 0xff)] as number) ^
      (t[1536 + ((c >>> 8) & 0xff)] as number) ^
      (t[1280 + ((c >>> 16) & 0xff)] as number) ^
      (t[1024 + (c >>> 24)] as number) ^
      (t[768 + (d & 0xff)] as number) ^
      (t[512 + ((d >>> 8) & 0xff)] as number) ^
      (t[256 + ((d >>> 16) & 0xff)] as number) ^
      (t[d >>> 24] as number)
  }
  return value
}
