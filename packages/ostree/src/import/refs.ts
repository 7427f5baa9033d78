import { BootableError } from '@bootable/bytes'
import type { OstreeErrorCode } from '../errors.ts'

/** Refs of layers, of ostree-ext's importer: below it the digest of the blob, escaped. */
export const LAYER_PREFIX = 'ostree/container/blob/'
/** Refs of images: below it the reference, escaped. */
export const IMAGE_PREFIX = 'ostree/container/image/'

/**
 * The ref of a layer's commit.
 * @param digest of the blob as the manifest has it, compressed
 */
export function layerRef(digest: string): string {
  return LAYER_PREFIX + escapeRef(digest)
}

/**
 * The ref of an image's merge commit.
 * @param reference with its transport, as containers-transports(5) has it: `docker://quay.io/example/os:latest`
 */
export function imageRef(reference: string): string {
  return IMAGE_PREFIX + escapeRef(reference)
}

/**
 * Any text as a name that ostree allows for a ref, as ostree-ext writes it: letters, digits and `-` stand for
 * themselves, `_` is doubled, `/` stays between two names, and all else is its code point: `_3A_`.
 *
 * @throws BootableError `OSTREE_INVALID_REF` for the empty text, and for one with a zero byte in it
 */
export function escapeRef(text: string): string {
  if (text === '' || text.includes('\0')) throw invalid(text, 'it is empty or holds a zero byte')
  let escaped = ''
  let afterWord = false
  let left = text.length
  for (const char of text) {
    left -= char.length
    const isWord = /^[0-9A-Za-z]$/.test(char)
    if (isWord || char === '-' || (char === '/' && afterWord && left > 0)) escaped += char
    else if (char === '_') escaped += '__'
    else escaped += `_${(char.codePointAt(0) as number).toString(16).toUpperCase().padStart(2, '0')}_`
    afterWord = isWord
  }
  return escaped
}

/**
 * What `escapeRef` was given.
 * @throws BootableError `OSTREE_INVALID_REF` for a name that it does not write
 */
export function unescapeRef(escaped: string): string {
  const text = escaped.replace(/_(_|([0-9A-F]{2,6})_|)/g, (_, rest: string, digits: string | undefined) => {
    if (rest === '_') return '_'
    const code = Number.parseInt(digits ?? '', 16)
    if (!(code <= 0x10ffff)) throw invalid(escaped, 'an underscore begins no escaped character')
    return String.fromCodePoint(code)
  })
  // Of the many ways to escape one text only one is written; the others would name the same image twice.
  if (escapeRef(text) !== escaped) throw invalid(escaped, 'it is escaped in a way that is never written')
  return text
}

function invalid(name: string, reason: string): BootableError<OstreeErrorCode> {
  const shown = JSON.stringify(name.slice(0, 200))
  return new BootableError('OSTREE_INVALID_REF', `${shown} cannot name an image or a layer: ${reason}`, {
    details: { ref: name.slice(0, 1000) },
  })
}
