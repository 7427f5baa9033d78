import {
  type BigIntStats,
  chmodSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { type ByteSource, toHex, utf8 } from '@bootable/bytes'
import {
  createDevice,
  createDirectory,
  createFifo,
  createFile,
  createSocket,
  createSymlink,
  type Directory,
  type FileTree,
  type Inode,
  type InodeAttributes,
  walkTree,
} from '@bootable/tree'
import { saveDevice } from './compliance/filesystem.ts'
import { makeNodes, setTimes } from './host-nodes.ts'
import { runOk } from './oracles.ts'

/**
 * A folder of this host as a tree, as the kernel shows it: what other tools unpacked, or a filesystem that
 * is mounted. Needs getfattr, and root to see everything.
 */
export async function readHostTree(folder: string): Promise<FileTree> {
  const xattrs = await readXattrs(folder)
  const known = new Map<string, Inode>()

  function read(path: string, relative: string): Inode {
    const info = lstatSync(path, { bigint: true })
    const key = `${info.dev}:${info.ino}`
    const linked = info.isDirectory() ? undefined : known.get(key)
    if (linked) return linked
    const inode = makeInode(path, info, attributesOf(info, xattrs.get(relative) ?? new Map()))
    known.set(key, inode)
    return inode
  }

  const root = read(folder, '') as Directory
  const pending: { directory: Directory; relative: string }[] = [{ directory: root, relative: '' }]
  for (let next = pending.pop(); next; next = pending.pop()) {
    for (const name of readdirSync(join(folder, next.relative))) {
      const relative = next.relative === '' ? name : `${next.relative}/${name}`
      const inode = read(join(folder, relative), relative)
      next.directory.entries.set(name, inode)
      if (inode.type === 'directory') pending.push({ directory: inode, relative })
    }
  }
  return { root }
}

/**
 * Writes a tree below a folder of this host for other tools to look at: hard links, holes, owners, times and
 * extended attributes included. Needs setfattr and python3, and root for what is not the caller's own.
 */
export async function writeHostTree(tree: FileTree, folder: string): Promise<void> {
  const entries = [...walkTree(tree)]
  const inodes = entries.filter(({ linkOf }) => linkOf === undefined)
  for (const { path, inode } of inodes) {
    const place = join(folder, path)
    if (inode.type === 'directory') mkdirSync(place, { recursive: path === '' })
    else if (inode.type === 'symlink') symlinkSync(inode.target, place)
    else if (inode.type === 'file') await saveDevice(inode.content, place)
  }
  await makeNodes(
    inodes.filter(({ inode }) => ['device', 'fifo', 'socket'].includes(inode.type)),
    folder,
  )
  for (const { path, linkOf } of entries) {
    if (linkOf !== undefined) linkSync(join(folder, linkOf), join(folder, path))
  }
  // A change of owner takes setuid bits and capabilities away, so it comes first.
  for (const { path, inode } of inodes) {
    lchownSync(join(folder, path), inode.uid, inode.gid)
    if (inode.type !== 'symlink') chmodSync(join(folder, path), inode.mode)
  }
  await restoreXattrs(inodes, folder)
  await setTimes(inodes.reverse(), folder)
}

/** Sets extended attributes from a dump as getfattr writes it. */
async function restoreXattrs(
  inodes: readonly { readonly path: string; readonly inode: Inode }[],
  folder: string,
): Promise<void> {
  const blocks = inodes
    .filter(({ inode }) => inode.xattrs.size > 0)
    .map(({ path, inode }) => {
      const lines = [...inode.xattrs].map(([name, value]) => `${name}=0x${toHex(value)}\n`)
      return `# file: ${escapeOctal(`./${path}`)}\n${lines.join('')}\n`
    })
  if (blocks.length > 0) {
    await runOk('setfattr', ['-h', '--restore=-'], { cwd: folder, input: blocks.join('') })
  }
}

function attributesOf(info: BigIntStats, xattrs: Map<string, Uint8Array>): InodeAttributes {
  const nanoseconds = Number(((info.mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)
  return {
    mode: Number(info.mode) & 0o7777,
    uid: Number(info.uid),
    gid: Number(info.gid),
    mtime: { seconds: Number((info.mtimeNs - BigInt(nanoseconds)) / 1_000_000_000n), nanoseconds },
    xattrs,
  }
}

function makeInode(path: string, info: BigIntStats, attributes: InodeAttributes): Inode {
  if (info.isDirectory()) return createDirectory(attributes)
  if (info.isSymbolicLink()) return createSymlink(readlinkSync(path), attributes)
  if (info.isFIFO()) return createFifo(attributes)
  if (info.isSocket()) return createSocket(attributes)
  if (info.isFile()) return createFile(pathSource(path, Number(info.size)), attributes)
  // glibc's makedev(3): twelve and eight bits of the lower half interleaved.
  const number = Number(info.rdev)
  const [major, minor] = [(number >>> 8) & 0xfff, (number & 0xff) | ((number >>> 12) & 0xfff00)]
  return createDevice(info.isBlockDevice() ? 'block' : 'character', major, minor, attributes)
}

/** Opens the file for each read, so that a tree of thousands holds no descriptors. */
function pathSource(path: string, size: number): ByteSource {
  return {
    size,
    async read(offset, target) {
      const handle = await open(path)
      try {
        const { bytesRead } = await handle.read(target, 0, target.length, offset)
        if (bytesRead !== target.length) throw new Error(`${path} ended at ${offset + bytesRead}`)
      } finally {
        await handle.close()
      }
    },
  }
}

/** All extended attributes below a folder, by path relative to it. */
async function readXattrs(folder: string): Promise<Map<string, Map<string, Uint8Array>>> {
  const { stdout } = await runOk('getfattr', ['-R', '-P', '-h', '-d', '-m', '-', '-e', 'hex', '.'], {
    cwd: folder,
  })
  const all = new Map<string, Map<string, Uint8Array>>()
  for (const block of stdout.split('\n\n')) {
    const [head, ...lines] = block.split('\n').filter((line) => line !== '')
    if (head === undefined) continue
    const path = unescapeOctal(head.replace(/^# file: /, '')).replace(/^\.\/?/, '')
    const xattrs = new Map(
      lines.filter(isOwn).map((line) => {
        const [name, value = '0x'] = line.split('=') as [string, string?]
        return [name, new Uint8Array(Buffer.from(value.slice(2), 'hex'))]
      }),
    )
    all.set(path, xattrs)
  }
  return all
}

/** XFS shows root its access lists a second time, in the form in which it keeps them. */
function isOwn(line: string): boolean {
  return !line.startsWith('trusted.SGI_ACL_')
}

/** getfattr writes bytes that it thinks unprintable as `\nnn`. */
function unescapeOctal(text: string): string {
  const bytes = Buffer.from(text, 'utf8').toString('latin1')
  const plain = bytes.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  )
  return Buffer.from(plain, 'latin1').toString('utf8')
}

function escapeOctal(path: string): string {
  const escaped = [...utf8(path)].map((byte) => {
    const character = String.fromCharCode(byte)
    return /[\w./-]/.test(character) ? character : `\\${byte.toString(8).padStart(3, '0')}`
  })
  return escaped.join('')
}
