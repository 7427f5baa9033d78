import { align, type Codec, checkPadding, malformed } from './codec.ts'
import { framingWidth, readFraming, storedWidth, writeFraming } from './framing.ts'

/** `a…` of elements that differ in length: the elements, then the end of each. */
export function array<T>(element: Codec<T>): Codec<readonly T[]> {
  const type = `a${element.type}`
  const { alignment } = element
  return {
    type,
    alignment,
    encode(values) {
      const parts = values.map((value) => ({ bytes: element.encode(value), alignment }))
      return assemble(parts, (ends) => ends)
    },
    decode(bytes, offset) {
      if (bytes.length === 0) return []
      const width = storedWidth(bytes.length)
      const body = readFraming(bytes, bytes.length - width, width)
      const count = (bytes.length - body) / width
      if (body > bytes.length - width || !Number.isInteger(count)) {
        throw malformed(type, offset, `the elements cannot end at ${body} of ${bytes.length} bytes`)
      }
      const values: T[] = []
      for (let index = 0, position = 0; index < count; index++) {
        const start = align(position, alignment)
        const end = readFraming(bytes, body + index * width, width)
        if (end < start || end > body) {
          throw malformed(type, offset, `element ${index} cannot reach from ${start} to ${end}`)
        }
        checkPadding(type, bytes.subarray(position, start), offset + position)
        values.push(element.decode(bytes.subarray(start, end), offset + start))
        position = end
      }
      return values
    },
  }
}

type Members<T extends readonly unknown[]> = { readonly [Index in keyof T]: Codec<T[Index]> }

/**
 * `(…)`: the members, then the ends of those that differ in length, the last member excepted, in reverse.
 * At least one member differs in length.
 */
export function tuple<T extends readonly unknown[]>(...members: Members<T>): Codec<T> {
  return record(`(${typesOf(members)})`, members)
}

/** `{…}`: a key and its value, serialized as a tuple. */
export function entry<K, V>(key: Codec<K>, value: Codec<V>): Codec<readonly [K, V]> {
  return record<readonly [K, V]>(`{${typesOf([key, value])}}`, [key, value])
}

function typesOf(members: readonly { readonly type: string }[]): string {
  return members.map(({ type }) => type).join('')
}

function record<T extends readonly unknown[]>(type: string, members: Members<T>): Codec<T> {
  const codecs: readonly Codec<unknown>[] = members
  const last = codecs.length - 1
  const isFramed = (index: number): boolean => index < last && codecs[index]?.size === undefined
  const framed = codecs.filter((_, index) => isFramed(index)).length
  return {
    type,
    alignment: Math.max(...codecs.map(({ alignment }) => alignment)) as Codec<T>['alignment'],
    encode(values) {
      const parts = codecs.map((codec, index) => ({
        bytes: codec.encode(values[index]),
        alignment: codec.alignment,
      }))
      return assemble(parts, (ends) => ends.filter((_, index) => isFramed(index)).reverse())
    },
    decode(bytes, offset) {
      const width = storedWidth(bytes.length)
      const body = bytes.length - framed * width
      let framing = bytes.length
      let position = 0
      const values = codecs.map((codec, index) => {
        const start = align(position, codec.alignment)
        if (isFramed(index)) framing -= width
        const end =
          codec.size !== undefined
            ? start + codec.size
            : index === last
              ? body
              : readFraming(bytes, framing, width)
        if (end < start || end > body || (index === last && end !== body)) {
          throw malformed(
            type,
            offset,
            `member ${index} cannot reach from ${start} to ${end} of ${body} bytes`,
          )
        }
        checkPadding(type, bytes.subarray(position, start), offset + position)
        position = end
        return codec.decode(bytes.subarray(start, end), offset + start)
      })
      return values as readonly unknown[] as T
    },
  }
}

interface Part {
  readonly bytes: Uint8Array
  readonly alignment: number
}

/** Lays parts one after another, each at its alignment, and the framing offsets behind. */
function assemble(parts: readonly Part[], framing: (ends: number[]) => number[]): Uint8Array {
  let length = 0
  const ends = parts.map(({ bytes, alignment }) => {
    length = align(length, alignment) + bytes.length
    return length
  })
  const offsets = framing(ends)
  const width = framingWidth(length, offsets.length)
  const joined = new Uint8Array(length + offsets.length * width)
  for (const [index, { bytes }] of parts.entries()) joined.set(bytes, (ends[index] as number) - bytes.length)
  for (const [index, end] of offsets.entries()) writeFraming(joined, length + index * width, width, end)
  return joined
}
