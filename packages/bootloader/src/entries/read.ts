import type { OperationOptions } from '@bootable/bytes'
import { BootableError, decodeUtf8, FormatError, readAll } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { findDirectory, resolvePath, sortedEntries } from '@bootable/tree'
import { type BootEntry, parseBootEntry } from './entry.ts'

/** Where entries lie in a sysroot, or on a partition of its own. */
const ENTRY_PLACES = [
  'loader/entries',
  'boot/loader/entries',
  'boot/efi/loader/entries',
  'efi/loader/entries',
]

/** No boot loader reads longer ones; a larger file is something else. */
const MAX_ENTRY = 65_536

/** An entry and the file that it was read from. */
export interface FoundBootEntry extends BootEntry {
  /** Path in the tree. */
  readonly path: string
}

/**
 * All boot entries of a tree, which may be a whole sysroot or the content of one partition, by place
 * and then by name.
 * @throws FormatError on a file that is not UTF-8 or longer than 64 KiB
 */
export async function readBootEntries(
  tree: FileTree,
  options: OperationOptions = {},
): Promise<FoundBootEntry[]> {
  const entries = new Map<string, FoundBootEntry>()
  for (const place of ENTRY_PLACES) {
    const directory = findDirectory(tree, place)
    if (!directory) continue
    for (const [name] of sortedEntries(directory)) {
      options.signal?.throwIfAborted()
      const file = name.endsWith('.conf') ? resolvePath(tree, `${place}/${name}`) : undefined
      // ostree has `boot -> .` in /boot: one file is then found twice.
      if (file?.inode.type !== 'file' || entries.has(file.path)) continue
      const text = await readText(file.inode.content, file.path)
      entries.set(file.path, { ...parseBootEntry(name.slice(0, -'.conf'.length), text), path: file.path })
    }
  }
  return [...entries.values()]
}

async function readText(content: Parameters<typeof readAll>[0], path: string): Promise<string> {
  const details = { format: 'boot entry', structure: `/${path}` }
  try {
    const text = decodeUtf8(await readAll(content, MAX_ENTRY))
    if (text !== undefined) return text
  } catch (error) {
    if (!BootableError.is(error, 'LIMIT_EXCEEDED')) throw error
    throw new FormatError('FORMAT_INVALID', details, `${content.size} bytes are too many for a boot entry`, {
      cause: error,
    })
  }
  throw new FormatError('FORMAT_INVALID', details, 'not UTF-8')
}
