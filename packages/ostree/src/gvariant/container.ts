import { align, type Codec, checkPadding, malformed } from './codec.ts'
import { framingWidth, readFraming, storedWidth, writeFraming } from './framing.ts'

/** `a…` of elements that differ in length: the elements, then the end of each. */
export function array<T>(element: Codec<T>): Codec<readonly T[]> {
  const type = `a${element.type}`
  const { alignment } = element
  return {
    type,
    alignment,
    encode: (values) =>
      assemble(
        values,
        () => element,
        values.map((_, index) => index),
      ),
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
  const offsetOrder = codecs
    .map((_, index) => index)
    .filter(isFramed)
    .reverse()
  const framed = offsetOrder.length
  return {
    type,
    alignment: Math.max(...codecs.map(({ alignment }) => alignment)) as Codec<T>['alignment'],
    encode: (values) => assemble(values, (index) => codecs[index] as Codec<unknown>, offsetOrder),
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

/**
 * Lays values one after another, each at its alignment, and behind them where those of `framed` end, in
 * that order.
 */
function assemble<T>(
  values: readonly T[],
  codecOf: (index: number) => Codec<T>,
  framed: readonly number[],
): Uint8Array {
  const parts: Uint8Array[] = []
  const ends: number[] = []
  let length = 0
  for (let index = 0; index < values.length; index++) {
    const codec = codecOf(index)
    const part = codec.encode(values[index] as T)
    length = align(length, codec.alignment) + part.length
    parts.push(part)
    ends.push(length)
  }
  const width = framingWidth(length, framed.length)
  const joined = new Uint8Array(length + framed.length * width)
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index] as Uint8Array
    joined.set(part, (ends[index] as number) - part.length)
  }
  for (let index = 0; index < framed.length; index++) {
    writeFraming(joined, length + index * width, width, ends[framed[index] as number] as number)
  }
  return joined
}
