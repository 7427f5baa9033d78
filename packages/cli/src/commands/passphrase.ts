import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { BootableError } from '@bootable/bytes'

/** What cryptsetup reads of a key file at most. */
const MAX_PASSPHRASE = 8 * 1024 * 1024

const NEWLINE = 0x0a

/**
 * Reads a passphrase, as bytes. A newline at the end is what an editor leaves there; nobody could type it.
 * @param path `-` for standard input
 * @throws BootableError `PASSPHRASE_NOT_READABLE`, `PASSPHRASE_INVALID`; what was read is never part of it
 */
export async function readPassphrase(path: string): Promise<Uint8Array> {
  const name = path === '-' ? 'standard input' : path
  let data: Uint8Array
  try {
    data = path === '-' ? await buffer(process.stdin) : await readFile(path)
  } catch (cause) {
    throw new BootableError(
      'PASSPHRASE_NOT_READABLE',
      `cannot read the passphrase from ${name}: ${(cause as Error).message}`,
      { details: { path }, cause },
    )
  }
  const length = data.at(-1) === NEWLINE ? data.length - 1 : data.length
  if (length > 0 && length <= MAX_PASSPHRASE) return Uint8Array.from(data.subarray(0, length))
  const what = length === 0 ? 'is empty' : `has ${length} bytes; ${MAX_PASSPHRASE} are the most`
  throw new BootableError('PASSPHRASE_INVALID', `the passphrase from ${name} ${what}`, {
    details: { path, length },
  })
}
