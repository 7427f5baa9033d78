import { utf8 } from '@bootable/bytes'
import type { FileTree, Inode, RegularFile } from '@bootable/tree'
import { statMode, walkTree } from '@bootable/tree'

/**
 * A tree in the format of composefs-dump(5), one line a name, files pointing to objects. Every name is an
 * inode of its own, of the time 0, as ostree has it.
 *
 * @param payload where the content of a file lies, such as `ab/cdef.file`
 */
export function composefsDump(tree: FileTree, payload: (file: RegularFile) => string): string {
  const lines: string[] = []
  for (const { path, inode } of walkTree(tree)) {
    const fields = [
      escapeText(`/${path}`),
      String(sizeOf(inode)),
      statMode(inode).toString(8),
      String(linksOf(inode)),
      String(inode.uid),
      String(inode.gid),
      String(deviceNumber(inode)),
      '0.0',
      payloadOf(inode, payload),
      '-',
      '-',
    ]
    for (const [name, value] of inode.xattrs) fields.push(`${escapeBytes(utf8(name))}=${escapeBytes(value)}`)
    lines.push(fields.join(' '))
  }
  return `${lines.join('\n')}\n`
}

function sizeOf(inode: Inode): number {
  if (inode.type === 'file') return inode.content.size
  return inode.type === 'symlink' ? utf8(inode.target).length : 0
}

/** glibc's makedev(3): twelve and eight bits of the lower half interleaved. */
function deviceNumber(inode: Inode): number {
  if (inode.type !== 'device') return 0
  return (inode.minor & 0xff) + inode.major * 2 ** 8 + Math.floor(inode.minor / 256) * 2 ** 20
}

function linksOf(inode: Inode): number {
  if (inode.type !== 'directory') return 1
  return [...inode.entries.values()].filter(({ type }) => type === 'directory').length + 2
}

function payloadOf(inode: Inode, payload: (file: RegularFile) => string): string {
  if (inode.type === 'symlink') return escapeText(inode.target)
  return inode.type === 'file' && inode.content.size > 0 ? escapeText(payload(inode)) : '-'
}

/** A field; one that is just `-` would be none. */
function escapeText(text: string): string {
  return text === '-' ? '\\x2d' : escapeBytes(utf8(text))
}

function escapeBytes(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) {
    const isPlain = byte > 0x20 && byte < 0x7f && byte !== 0x5c && byte !== 0x3d
    text += isPlain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`
  }
  return text
}
