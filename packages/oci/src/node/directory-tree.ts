import { type BigIntStats, constants } from 'node:fs'
import { lstat, open, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { BootableError, type ByteSource, decodeUtf8 } from '@bootable/bytes'
import {
  type Attributes,
  createDevice,
  createDirectory,
  createFifo,
  createFile,
  createSymlink,
  type Directory,
  type FileTree,
  type Inode,
  type Timestamp,
} from '@bootable/tree'
import type { LayerErrorCode } from '../layer/limits.ts'

/** Options of {@link openDirectoryTree}. */
export interface OpenDirectoryTreeOptions {
  /** Who owns everything. @defaultValue who owns it on this host */
  readonly owner?: { readonly uid: number; readonly gid: number }
  /**
   * Seconds since 1970, as in `SOURCE_DATE_EPOCH`: later times become this one
   * (reproducible-builds.org, "Clamping").
   */
  readonly latest?: number
  /** Keeps fractions of a second, which a tar needs extended headers for. @defaultValue false */
  readonly nanoseconds?: boolean
  /** What becomes of sockets, which a layer cannot hold. @defaultValue `skip` */
  readonly sockets?: 'skip' | 'error'
  readonly signal?: AbortSignal
}

/** Files that are open at once: a process has 1024 descriptors most often. */
const MAX_OPEN = 32

/**
 * A folder of this host as a tree, for `writeLayerTar`. Links are not followed; hard links stay links; files
 * are opened when they are read, and must then be as long and as old as they were.
 *
 * Extended attributes are not read, which Node cannot: file capabilities and labels are lost. On Windows
 * modes are what Node makes of them.
 *
 * @throws BootableError `FILE_NOT_READABLE` naming the file, `LAYER_UNREPRESENTABLE`; reading a file that was
 *   changed meanwhile rejects with `FILE_NOT_READABLE`
 */
export async function openDirectoryTree(
  folder: string,
  options: OpenDirectoryTreeOptions = {},
): Promise<FileTree> {
  const slots = createSlots(MAX_OPEN)
  const linked = new Map<string, Inode>()

  async function readInode(path: string): Promise<Inode | undefined> {
    const info = await attempt(path, () => lstat(path, { bigint: true }))
    const attributes = attributesOf(info, options)
    if (info.isDirectory()) return createDirectory(attributes)
    const key = `${info.dev}:${info.ino}`
    const known = info.nlink > 1n ? linked.get(key) : undefined
    if (known) return known
    const inode = await makeInode(path, info, attributes)
    if (inode && info.nlink > 1n) linked.set(key, inode)
    return inode
  }

  async function makeInode(
    path: string,
    info: BigIntStats,
    attributes: Attributes,
  ): Promise<Inode | undefined> {
    if (info.isFile()) return createFile(fileContent(path, info, slots), attributes)
    if (info.isSymbolicLink()) {
      const target = await attempt(path, () => readlink(path, { encoding: 'buffer' }))
      return createSymlink(requireText(target, path), { ...attributes, mode: 0o777 })
    }
    if (info.isFIFO()) return createFifo(attributes)
    if (info.isSocket()) {
      if (options.sockets !== 'error') return undefined
      throw unrepresentable(path, 'a layer cannot hold a socket')
    }
    const { major, minor } = splitDevice(info.rdev)
    return createDevice(info.isBlockDevice() ? 'block' : 'character', major, minor, attributes)
  }

  const root = await readInode(folder)
  if (root?.type !== 'directory') throw notReadable(folder, 'it is not a folder')
  const pending: { readonly directory: Directory; readonly path: string }[] = [
    { directory: root, path: folder },
  ]
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { directory, path } = next
    const names = await attempt(path, () => readdir(path, { encoding: 'buffer' }))
    for (const raw of names.sort(Buffer.compare)) {
      options.signal?.throwIfAborted()
      const name = requireText(raw, path)
      const child = join(path, name)
      const inode = await readInode(child)
      if (!inode) continue
      directory.entries.set(name, inode)
      if (inode.type === 'directory') pending.push({ directory: inode, path: child })
    }
  }
  return { root }
}

function attributesOf(info: BigIntStats, options: OpenDirectoryTreeOptions): Attributes {
  return {
    mode: Number(info.mode & 0o7777n),
    uid: options.owner?.uid ?? Number(info.uid),
    gid: options.owner?.gid ?? Number(info.gid),
    mtime: timeOf(info.mtimeNs, options),
  }
}

function timeOf(time: bigint, { latest, nanoseconds = false }: OpenDirectoryTreeOptions): Timestamp {
  const rest = ((time % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  const seconds = Number((time - rest) / 1_000_000_000n)
  if (latest !== undefined && seconds >= latest) return { seconds: latest, nanoseconds: 0 }
  return { seconds, nanoseconds: nanoseconds ? Number(rest) : 0 }
}

/** The content of a file that is opened for each read, so that a tree of any size holds no descriptor. */
function fileContent(path: string, info: BigIntStats, slots: Slots): ByteSource {
  const size = Number(info.size)
  return {
    size,
    read: (offset, target) =>
      slots(async () => {
        const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)
        const file = await attempt(path, () => open(path, flags))
        try {
          const now = await file.stat({ bigint: true })
          if (now.size !== info.size || now.mtimeNs !== info.mtimeNs || now.ino !== info.ino) {
            throw notReadable(path, 'it was changed while it was read')
          }
          for (let done = 0; done < target.length; ) {
            const { bytesRead } = await file.read(target, done, target.length - done, offset + done)
            if (bytesRead === 0) throw notReadable(path, `it ends after ${offset + done} of ${size} bytes`)
            done += bytesRead
          }
        } finally {
          await file.close()
        }
      }),
  }
}

/** Runs so many things at once, and the others after them. */
type Slots = <T>(work: () => Promise<T>) => Promise<T>

function createSlots(count: number): Slots {
  let free = count
  const waiting: (() => void)[] = []
  return async (work) => {
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve))
    else free--
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else free++
    }
  }
}

/** `dev_t` as Linux packs it: `gnu_dev_major` and `gnu_dev_minor` of glibc. */
function splitDevice(device: bigint): { major: number; minor: number } {
  return {
    major: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn & 0xffffffffn)),
    minor: Number((device & 0xffn) | ((device >> 12n) & ~0xffn & 0xffffffffn)),
  }
}

function requireText(raw: Uint8Array, path: string): string {
  const text = decodeUtf8(raw)
  if (text !== undefined) return text
  throw unrepresentable(path, `${JSON.stringify(Buffer.from(raw).toString('latin1'))} is not UTF-8`)
}

async function attempt<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw notReadable(path, (cause as Error).message, cause)
  }
}

function notReadable(path: string, reason: string, cause?: unknown): BootableError {
  return new BootableError('FILE_NOT_READABLE', `cannot read ${path}: ${reason}`, {
    details: { path },
    ...(cause !== undefined && { cause }),
  })
}

function unrepresentable(path: string, reason: string): BootableError<LayerErrorCode> {
  return new BootableError('LAYER_UNREPRESENTABLE', `${path}: ${reason}`, { details: { path } })
}
