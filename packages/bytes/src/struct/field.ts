/** How a field is read from and written to a view. */
export interface Field<T> {
  /** First byte of the field within its struct. */
  readonly offset: number
  /** Length in bytes. */
  readonly size: number
  get(view: DataView, at: number): T
  set(view: DataView, at: number, value: T): void
}

function field<T>(
  offset: number,
  size: number,
  get: (view: DataView, at: number) => T,
  set: (view: DataView, at: number, value: T) => void,
): Field<T> {
  return { offset, size, get, set }
}

export const u8 = (offset: number): Field<number> =>
  field(
    offset,
    1,
    (view, at) => view.getUint8(at),
    (view, at, value) => view.setUint8(at, value),
  )

const unsigned16 = (offset: number, little: boolean): Field<number> =>
  field(
    offset,
    2,
    (view, at) => view.getUint16(at, little),
    (view, at, value) => view.setUint16(at, value, little),
  )

const unsigned32 = (offset: number, little: boolean): Field<number> =>
  field(
    offset,
    4,
    (view, at) => view.getUint32(at, little),
    (view, at, value) => view.setUint32(at, value, little),
  )

const HIGH = 0x1_0000_0000

/** Two halves and a safe integer: ten times faster than bigint, and no size passes 2^53. */
const unsigned64 = (offset: number, little: boolean): Field<number> =>
  field(
    offset,
    8,
    (view, at) => {
      const high = view.getUint32(little ? at + 4 : at, little)
      const value = high * HIGH + view.getUint32(little ? at : at + 4, little)
      if (high >= 0x20_0000) throw new RangeError(`64-bit value at byte ${at} is above 2^53`)
      return value
    },
    (view, at, value) => {
      view.setUint32(little ? at + 4 : at, Math.floor(value / HIGH), little)
      view.setUint32(little ? at : at + 4, value % HIGH, little)
    },
  )

/** Little-endian unsigned integers; 64 bits as a safe integer, `RangeError` above 2^53. */
export const u16 = (offset: number): Field<number> => unsigned16(offset, true)
export const u32 = (offset: number): Field<number> => unsigned32(offset, true)
export const u64 = (offset: number): Field<number> => unsigned64(offset, true)

/** The big-endian twins. */
export const u16be = (offset: number): Field<number> => unsigned16(offset, false)
export const u32be = (offset: number): Field<number> => unsigned32(offset, false)
export const u64be = (offset: number): Field<number> => unsigned64(offset, false)

/** 64 bits that are flags or an id rather than a size, little-endian. */
export const flags64 = (offset: number): Field<bigint> =>
  field(
    offset,
    8,
    (view, at) => view.getBigUint64(at, true),
    (view, at, value) => view.setBigUint64(at, value, true),
  )

/** 64 bits that are flags or an id rather than a size, big-endian. */
export const flags64be = (offset: number): Field<bigint> =>
  field(
    offset,
    8,
    (view, at) => view.getBigUint64(at, false),
    (view, at, value) => view.setBigUint64(at, value, false),
  )

/** Raw bytes. Reading copies; writing something shorter leaves the rest zero. */
export const bytes = (offset: number, size: number): Field<Uint8Array> =>
  field(
    offset,
    size,
    (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, size).slice(),
    (view, at, value) => {
      if (value.length > size) throw new RangeError(`${value.length} bytes do not fit a field of ${size}`)
      const target = new Uint8Array(view.buffer, view.byteOffset + at, size)
      target.fill(0)
      target.set(value)
    },
  )

/** Text of one byte a character, padded at its end; the padding is cut off when reading. */
export const ascii = (offset: number, size: number, padding = '\0'): Field<string> => {
  const raw = bytes(offset, size)
  return field(
    offset,
    size,
    (view, at) => {
      let text = ''
      for (const byte of raw.get(view, at)) text += String.fromCharCode(byte)
      let end = text.length
      while (end > 0 && text[end - 1] === padding) end--
      return text.slice(0, end)
    },
    (view, at, value) =>
      raw.set(
        view,
        at,
        Uint8Array.from(value.padEnd(size, padding), (character) => character.charCodeAt(0)),
      ),
  )
}

/** `count` fields of one kind in a row. */
export const array = <T>(kind: (offset: number) => Field<T>, offset: number, count: number): Field<T[]> => {
  const element = kind(0)
  return field(
    offset,
    element.size * count,
    (view, at) => Array.from({ length: count }, (_, index) => element.get(view, at + index * element.size)),
    (view, at, value) => {
      if (value.length > count) throw new RangeError(`${value.length} elements do not fit ${count}`)
      for (const [index, item] of value.entries()) element.set(view, at + index * element.size, item)
    },
  )
}
