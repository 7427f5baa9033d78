/**
 * Eight tables for slicing-by-8 (Kounavis and Berry, 2005): eight input bytes a step, three times as
 * fast as one table.
 */
export function crcTables(polynomial: number): Uint32Array[] {
  const tables = Array.from({ length: 8 }, () => new Uint32Array(256))
  const [first] = tables as [Uint32Array, ...Uint32Array[]]
  for (let byte = 0; byte < 256; byte++) {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1
    first[byte] = value
  }
  for (let slice = 1; slice < 8; slice++) {
    const [previous, table] = [tables[slice - 1] as Uint32Array, tables[slice] as Uint32Array]
    for (let byte = 0; byte < 256; byte++) {
      const value = previous[byte] as number
      table[byte] = (value >>> 8) ^ (first[value & 0xff] as number)
    }
  }
  return tables
}

/** Runs the bytes from `start` to `end` through a reflected CRC; neither inverts before nor after. */
export function updateCrc(
  tables: readonly Uint32Array[],
  crc: number,
  data: Uint8Array,
  start: number,
  end: number,
): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as Uint32Array[] as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ]
  const at = (table: Uint32Array, index: number): number => table[index] as number
  const byte = (index: number): number => data[index] as number
  let value = crc
  let index = start
  for (; index + 8 <= end; index += 8) {
    value ^= byte(index) | (byte(index + 1) << 8) | (byte(index + 2) << 16) | (byte(index + 3) << 24)
    value =
      at(t7, value & 0xff) ^
      at(t6, (value >>> 8) & 0xff) ^
      at(t5, (value >>> 16) & 0xff) ^
      at(t4, value >>> 24) ^
      at(t3, byte(index + 4)) ^
      at(t2, byte(index + 5)) ^
      at(t1, byte(index + 6)) ^
      at(t0, byte(index + 7))
  }
  for (; index < end; index++) value = (value >>> 8) ^ at(t0, (value ^ byte(index)) & 0xff)
  return value >>> 0
}
