import { FormatError, isZero } from '@bootable/bytes'

/**
 * How values of one GVariant type are serialized, little-endian, and read back.
 *
 * Codecs are put together as type strings are: `array(tuple(string, bytes))` is `a(say)`. Containers hold
 * values of variable size only, which is all that ostree has in them.
 *
 * Source: the GVariant specification (GLib), "Serialization".
 */
export interface Codec<T> {
  /** The type string, such as `a{sv}`. */
  readonly type: string
  /** A container starts the value at a multiple of this many bytes. */
  readonly alignment: 1 | 4 | 8
  /** Length in bytes of every value; left out where values differ in length. */
  readonly size?: number
  encode(value: T): Uint8Array
  /**
   * @param bytes exactly the bytes of the value
   * @param offset where they stand in the object, for messages
   * @throws FormatError when they are not in normal form: ostree accepts no other
   */
  decode(bytes: Uint8Array, offset: number): T
}

/** The error for bytes that are no value of the type in normal form. */
export function malformed(type: string, offset: number, message: string): FormatError {
  return new FormatError('FORMAT_INVALID', { format: 'GVariant', structure: type, offset }, message)
}

/** The first multiple of `alignment` that is not below `position`. */
export function align(position: number, alignment: number): number {
  return Math.ceil(position / alignment) * alignment
}

/** Refuses padding that is not zero. */
export function checkPadding(type: string, bytes: Uint8Array, offset: number): void {
  if (bytes.length > 0 && !isZero(bytes)) throw malformed(type, offset, 'padding is not zero')
}
