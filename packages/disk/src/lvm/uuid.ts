import { seededBytes } from '@bootable/bytes'

/** 32 letters and digits in groups of 6-4-4-4-4-4-6, as LVM prints its ids. */
export type LvmUuid = string

/** `id_create` of `lib/uuid/uuid.c` picks from these; `!` and `#`, of old ids, it only accepts. */
const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'

/** Where its seven groups end. */
const GROUP_ENDS = [6, 10, 14, 18, 22, 26, 32]

/** An id that depends on nothing but a seed and a purpose. */
export function seededLvmUuid(seed: string, purpose: string): LvmUuid {
  const letters = [...seededBytes(seed, purpose, 32)].map((byte) => ALPHABET[byte % ALPHABET.length])
  return dashLvmUuid(letters.join(''))
}

/** The form for people of an id without dashes. */
export function dashLvmUuid(letters: string): LvmUuid {
  return GROUP_ENDS.map((end, index) => letters.slice(GROUP_ENDS[index - 1] ?? 0, end)).join('-')
}

/** The form of headers: 32 characters. */
export function plainLvmUuid(uuid: LvmUuid): string {
  return uuid.replaceAll('-', '')
}

export function isLvmUuid(text: string): boolean {
  return /^[\w!#]{6}(-[\w!#]{4}){5}-[\w!#]{6}$/.test(text) && !text.includes('_')
}
