import { parseSize } from '@bootable/bytes'
import * as z from 'zod'

const NO_SIZE = {
  error: 'must be a number of bytes, or a text such as "10 GiB" (kB, KiB, MB, MiB, GB, GiB, TB, TiB)',
}

/** Bytes from a number or a text with a unit. */
export const size = z
  .union(
    [
      z.int(NO_SIZE).nonnegative(NO_SIZE),
      z.string().regex(/^\s*\d+(\.\d+)?\s*(B|[kK]B|[MGT]B|[KMGT]iB)?\s*$/, NO_SIZE),
    ],
    NO_SIZE,
  )
  .transform((value, context) => {
    try {
      return parseSize(value)
    } catch {
      context.addIssue({ code: 'custom', message: 'is larger than any disk' })
      return z.NEVER
    }
  })
  .meta({ description: 'Bytes, or a text with a unit such as "10 GiB"' })

/** A uid or gid. 2^32 − 1 means "no change" to chown(2) and cannot be owned. */
export const id = z.int().min(0).max(0xffff_fffe)

/** The names that bootc-image-builder takes; the ones that are directories of their own are not names. */
export const accountName = z
  .string()
  .regex(/^[A-Za-z0-9_.][A-Za-z0-9_.-]{0,31}$/, {
    error: 'must be 1 to 32 of A-Z a-z 0-9 _ . - and must not start with -',
  })
  .refine((name) => name !== '.' && name !== '..', { error: 'must not be . or ..' })

/** A field of passwd(5): whatever does not end the field or the line. */
export const passwdField = z
  .string()
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  .regex(/^[^:\u0000-\u001f\u007f]*$/, { error: 'must not hold a colon or control characters' })

/** Whether a path is absolute and has no `.`, `..`, doubled or trailing slash, and no control characters. */
export function isCanonicalPath(path: string): boolean {
  if (path === '/') return true
  return path.startsWith('/') && path.slice(1).split('/').every(isPathName)
}

function isPathName(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a newline would end a line of a unit file
  return name !== '' && name !== '.' && name !== '..' && !/[\u0000-\u001f\u007f]/.test(name)
}

export const canonicalPath = z.string().refine(isCanonicalPath, {
  error: 'must be an absolute path without . or .., doubled or trailing slashes and control characters',
})

/** An owner of a file: a name or an id. */
export const owner = z.union([accountName, id], { error: 'must be a name or an id' })

export const mode = z.string({ error: 'must be text, such as "0644"' }).regex(/^0?[0-7]{3}$/, {
  error: 'must be three octal digits, with or without a leading zero',
})

/** A text on one line. */
export const oneLine = z.string().regex(/^[^\r\n\0]*$/, { error: 'must be one line' })

/** Bytes of a logical sector. */
export const sectorSize = z
  .int()
  .refine((bytes) => bytes >= 512 && bytes <= 4096 && Number.isInteger(Math.log2(bytes)), {
    error: 'must be a power of two from 512 to 4096',
  })
