import { boolean, string, uint32, uint64 } from '../gvariant/basic.ts'
import type { Codec } from '../gvariant/codec.ts'
import { array, entry } from '../gvariant/container.ts'
import { type Variant, variant } from '../gvariant/variant.ts'
import { invalidObject } from './checksum.ts'

/**
 * A value of a commit's metadata. Text is `s`, a boolean `b`, bytes `ay`, a list of text `as`; numbers name
 * their width. A value of any other type is kept as it is serialized.
 */
export type MetadataValue =
  | string
  | boolean
  | Uint8Array
  | readonly string[]
  | { readonly type: 'u' | 't'; readonly value: number }
  | Variant

/** Metadata in the order in which it is written. */
export type Metadata = ReadonlyMap<string, MetadataValue>

const strings = array(string)
const pairs = array(entry(string, variant))

/** `a{sv}`. */
export const metadataDictionary: Codec<Metadata> = {
  type: pairs.type,
  alignment: pairs.alignment,
  encode: (metadata) => pairs.encode([...metadata].map(([key, value]) => [key, toVariant(value)] as const)),
  decode(bytes, offset) {
    const entries = pairs.decode(bytes, offset)
    const metadata = new Map(entries.map(([key, value]) => [key, fromVariant(value)]))
    if (metadata.size < entries.length) throw invalidObject('commit', 'a key stands in the metadata twice')
    return metadata
  },
}

/** A `.commitmeta` object: the detached metadata of a commit, such as its signatures. */
export function encodeCommitmeta(metadata: Metadata): Uint8Array {
  return metadataDictionary.encode(metadata)
}

/** @throws FormatError */
export function decodeCommitmeta(bytes: Uint8Array): Metadata {
  return metadataDictionary.decode(bytes, 0)
}

function toVariant(value: MetadataValue): Variant {
  if (typeof value === 'string') return { type: 's', bytes: string.encode(value) }
  if (typeof value === 'boolean') return { type: 'b', bytes: boolean.encode(value) }
  if (value instanceof Uint8Array) return { type: 'ay', bytes: value }
  if (isList(value)) return { type: strings.type, bytes: strings.encode(value) }
  if ('bytes' in value) return value
  return { type: value.type, bytes: (value.type === 'u' ? uint32 : uint64).encode(value.value) }
}

function fromVariant({ type, bytes }: Variant): MetadataValue {
  if (type === 's') return string.decode(bytes, 0)
  if (type === 'b') return boolean.decode(bytes, 0)
  if (type === 'ay') return bytes.slice()
  if (type === strings.type) return strings.decode(bytes, 0)
  if (type === 'u') return { type, value: uint32.decode(bytes, 0) }
  // A number that needs more than 53 bits stays serialized, like all that has no form of its own here.
  if (type === 't' && bytes[7] === 0 && (bytes[6] as number) < 0x20) {
    return { type, value: uint64.decode(bytes, 0) }
  }
  return { type, bytes: bytes.slice() }
}

function isList(value: MetadataValue): value is readonly string[] {
  return Array.isArray(value)
}
