import { FormatError } from '../errors.ts'
import { toHex } from '../text.ts'
import type { Field } from './field.ts'

type Fields = Readonly<Record<string, Field<unknown>>>
type Value<F> = F extends Field<infer T> ? T : never

/** The fields of a struct as a plain object. */
export type StructValue<F> = { -readonly [K in keyof F]: Value<F[K]> }

/** A struct laid over bytes: fields are properties; `base` moves it from record to record. */
export type StructCursor<F> = StructValue<F> & {
  /** First byte of the current record within the view. */
  base: number
}

/** An on-disk structure as its specification prints it: names and explicit offsets. */
export interface Struct<F> {
  readonly name: string
  /** Length in bytes. */
  readonly size: number
  readonly fields: F
  /**
   * The hot path: one cursor for many records.
   *
   * Assign `base` and then the fields by name; a generic loop over names is fifty times slower.
   */
  at(bytes: Uint8Array, base?: number): StructCursor<F>
  /**
   * The cold path: all fields of one record.
   * @throws FormatError `FORMAT_TRUNCATED`; `FORMAT_INVALID` for a 64-bit size above 2^53
   */
  read(bytes: Uint8Array, base?: number): StructValue<F>
  /** Writes the given fields of one record; the others keep their bytes. */
  write(bytes: Uint8Array, base: number, values: Partial<StructValue<F>>): void
  /** A record of its own, all fields not given zero. */
  encode(values: Partial<StructValue<F>>): Uint8Array
  /** One line a field that is not zero: offset, name, value. For golden files and error reports. */
  dump(bytes: Uint8Array, base?: number): string
}

/**
 * Describes an on-disk structure.
 *
 * Offsets stand in the source because specifications list them and reviewers compare line by line.
 * Overlapping fields and fields past the end are refused when the module loads.
 *
 * @param name as the specification or the kernel header spells it
 * @param size length in bytes
 * @throws RangeError when the table contradicts itself
 */
export function struct<const F extends Record<string, Field<unknown>>>(
  name: string,
  size: number,
  fields: F,
): Struct<F> {
  checkLayout(name, size, fields)
  const Cursor = cursorClass(fields)
  const entries = Object.entries(fields) as [keyof F & string, Field<unknown>][]

  const self: Struct<F> = {
    name,
    size,
    fields,
    at(data, base = 0) {
      return new Cursor(data, base) as unknown as StructCursor<F>
    },
    read(data, base = 0) {
      if (base + size > data.length) {
        throw new FormatError(
          'FORMAT_TRUNCATED',
          { format: name, structure: name, offset: base, expected: base + size, actual: data.length },
          `${size} bytes are needed`,
        )
      }
      const view = viewOf(data)
      const value: Record<string, unknown> = {}
      for (const [key, field] of entries) {
        try {
          value[key] = field.get(view, base + field.offset)
        } catch (cause) {
          const place = { format: name, structure: key, offset: base + field.offset }
          throw new FormatError('FORMAT_INVALID', place, 'a size above 2^53', { cause })
        }
      }
      return value as StructValue<F>
    },
    write(data, base, values) {
      const view = viewOf(data)
      for (const [key, field] of entries) {
        if (key in values) field.set(view, base + field.offset, values[key])
      }
    },
    encode(values) {
      const data = new Uint8Array(size)
      self.write(data, 0, values)
      return data
    },
    dump(data, base = 0) {
      const value = self.read(data, base) as Record<string, unknown>
      const lines = [`${name} (${size} bytes)`]
      for (const [key, field] of entries) {
        const text = printValue(value[key])
        if (text !== undefined) {
          lines.push(`  0x${field.offset.toString(16).padStart(3, '0')} ${key} = ${text}`)
        }
      }
      return lines.join('\n')
    },
  }
  return self
}

function checkLayout(name: string, size: number, fields: Fields): void {
  const taken = Object.entries(fields).sort((a, b) => a[1].offset - b[1].offset)
  let end = 0
  let previous = 'the start'
  for (const [key, field] of taken) {
    if (field.offset < end) {
      throw new RangeError(
        `struct ${name}: ${key} at ${field.offset} overlaps ${previous}, which ends at ${end}`,
      )
    }
    end = field.offset + field.size
    previous = key
  }
  if (end > size) throw new RangeError(`struct ${name}: ${previous} ends at ${end}, past the size ${size}`)
}

/** A class with accessors on its prototype: V8 inlines them, as it would not for a loop over a table. */
function cursorClass(fields: Fields): new (data: Uint8Array, base: number) => { base: number } {
  class Cursor {
    readonly view: DataView
    base: number
    constructor(data: Uint8Array, base: number) {
      this.view = viewOf(data)
      this.base = base
    }
  }
  for (const [key, { offset, get, set }] of Object.entries(fields) as [string, Field<unknown>][]) {
    Object.defineProperty(Cursor.prototype, key, {
      get(this: Cursor): unknown {
        return get(this.view, this.base + offset)
      },
      set(this: Cursor, value: unknown) {
        set(this.view, this.base + offset, value)
      },
    })
  }
  return Cursor
}

function viewOf(data: Uint8Array): DataView {
  return new DataView(data.buffer, data.byteOffset, data.byteLength)
}

/** `undefined` for a value that is zero all over. */
function printValue(value: unknown): string | undefined {
  if (typeof value === 'number') return value === 0 ? undefined : `${value} (0x${value.toString(16)})`
  if (typeof value === 'bigint') return value === 0n ? undefined : `0x${value.toString(16)}`
  if (typeof value === 'string') return value === '' ? undefined : JSON.stringify(value)
  if (value instanceof Uint8Array) return value.every((byte) => byte === 0) ? undefined : toHex(value)
  if (Array.isArray(value)) {
    const items = value.map((item) => printValue(item) ?? '0')
    return items.every((item) => item === '0') ? undefined : `[${items.join(', ')}]`
  }
  return String(value)
}
