import { concatBytes, utf8 } from '@bootable/bytes'
import { type Codec, malformed } from './codec.ts'

/** A value with its type: `bytes` are its serialized form. */
export interface Variant {
  readonly type: string
  readonly bytes: Uint8Array
}

/** `v`: the value, a zero byte, the type string. What the value holds is not looked at. */
export const variant: Codec<Variant> = {
  type: 'v',
  alignment: 8,
  encode: ({ type, bytes }) => concatBytes([bytes, utf8(`\0${type}`)]),
  decode(bytes, offset) {
    const end = bytes.lastIndexOf(0)
    const type = end < 0 ? '' : String.fromCharCode(...bytes.subarray(end + 1, end + 1 + MAX_TYPE))
    if (end + 1 + type.length !== bytes.length || !isType(type)) {
      throw malformed('v', offset + end + 1, 'no type string ends the variant')
    }
    return { type, bytes: bytes.subarray(0, end) }
  },
}

/** No type string in use comes near this; it bounds the depth of {@link endOfType}. */
const MAX_TYPE = 128

/** Whether the text is the type string of exactly one type. */
export function isType(text: string): boolean {
  return text.length <= MAX_TYPE && endOfType(text, 0) === text.length
}

/** Where the type that starts at `position` ends; −1 where none does. */
function endOfType(text: string, position: number): number {
  const head = text[position] ?? ''
  if (/[bynqiuxthdsogv]/.test(head)) return position + 1
  if (head === 'a' || head === 'm') return endOfType(text, position + 1)
  if (head === '{') {
    if (!/[bynqiuxthdsog]/.test(text[position + 1] ?? '')) return -1
    const end = endOfType(text, position + 2)
    return text[end] === '}' ? end + 1 : -1
  }
  if (head !== '(') return -1
  let end = position + 1
  while (end > 0 && text[end] !== ')') end = endOfType(text, end)
  return end < 0 ? -1 : end + 1
}
