import type { Hash, Runtime } from '@bootable/bytes'
import { portableRuntime, streamSource, toHex, utf8 } from '@bootable/bytes'
import type { Inode } from './inode.ts'
import { statMode } from './inode.ts'
import type { FileTree } from './tree.ts'
import { walkTree } from './walk.ts'

/** Options of {@link dumpTree}. */
export interface DumpTreeOptions {
  /** Adds the sha256 of every file. @defaultValue true */
  readonly digests?: boolean
  readonly runtime?: Runtime
  readonly signal?: AbortSignal
}

/**
 * A tree as text, one line a name, in the order of {@link walkTree}:
 *
 * `/path mode uid:gid seconds.nanoseconds [immutable] [size sha256 | -> target | c 5:1 | = /first/name] name=value…`
 *
 * `mode` is `st_mode` in octal; names are JSON strings where they hold blanks or control characters;
 * xattr values are hex. Two trees are equal exactly if their dumps are.
 */
export async function* dumpTree(tree: FileTree, options: DumpTreeOptions = {}): AsyncGenerator<string> {
  const { digests = true, runtime = portableRuntime, signal } = options
  for (const { path, inode, linkOf } of walkTree(tree)) {
    signal?.throwIfAborted()
    if (linkOf !== undefined) {
      yield `${printName(path)} = ${printName(linkOf)}`
      continue
    }
    const fields = [printName(path), describeAttributes(inode)]
    if (inode.type === 'file') {
      fields.push(String(inode.content.size))
      if (digests) fields.push(toHex(await hashContent(inode.content, runtime.createHash('sha256'), signal)))
    } else if (inode.type === 'symlink') fields.push('->', printText(inode.target))
    else if (inode.type === 'device') {
      fields.push(`${inode.kind === 'character' ? 'c' : 'b'} ${inode.major}:${inode.minor}`)
    }
    for (const name of [...inode.xattrs.keys()].sort()) {
      fields.push(`${printText(name)}=${toHex(inode.xattrs.get(name) as Uint8Array)}`)
    }
    yield fields.join(' ')
  }
}

/** Mode, owner, time and flag of an inode, as they stand in a dump and in a diff. */
export function describeAttributes(inode: Inode): string {
  const { seconds, nanoseconds } = inode.mtime
  const time = `${seconds}.${String(nanoseconds).padStart(9, '0')}`
  const fields = `${statMode(inode).toString(8).padStart(6, '0')} ${inode.uid}:${inode.gid} ${time}`
  return inode.immutable ? `${fields} immutable` : fields
}

async function hashContent(
  content: Parameters<typeof streamSource>[0],
  hash: Hash,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  for await (const chunk of streamSource(content, signal ? { signal } : {})) hash.update(chunk)
  return hash.digest()
}

function printName(path: string): string {
  return printText(`/${path}`)
}

function printText(text: string): string {
  const plain = utf8(text).every((byte) => byte > 0x20 && byte !== 0x22 && byte !== 0x7f)
  return plain && text !== '' ? text : JSON.stringify(text)
}
