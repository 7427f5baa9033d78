import type { ByteSource } from '@bootable/bytes'
import { equalBytes, streamSource } from '@bootable/bytes'
import { describeAttributes } from './dump.ts'
import type { Inode } from './inode.ts'
import type { FileTree } from './tree.ts'
import { walkTree } from './walk.ts'

/** One difference between two trees. */
export interface TreeChange {
  readonly path: string
  readonly change: 'added' | 'removed' | 'changed'
  /** What differs, in words with both values; empty for added and removed names. */
  readonly reasons: readonly string[]
}

/** Options of {@link diffTrees}. */
export interface DiffTreesOptions {
  /** Compares the contents of files of equal size. @defaultValue true */
  readonly contents?: boolean
  /** Compares modification times. @defaultValue true */
  readonly times?: boolean
  readonly signal?: AbortSignal
}

/** What has to happen to `before` to make it `after`, sorted by path. */
export async function* diffTrees(
  before: FileTree,
  after: FileTree,
  options: DiffTreesOptions = {},
): AsyncGenerator<TreeChange> {
  const old = new Map([...walkTree(before)].map((entry) => [entry.path, entry]))
  for (const entry of walkTree(after)) {
    options.signal?.throwIfAborted()
    const previous = old.get(entry.path)
    old.delete(entry.path)
    if (!previous) {
      yield { path: entry.path, change: 'added', reasons: [] }
      continue
    }
    const reasons = await compare(previous.inode, entry.inode, options)
    if (previous.linkOf !== entry.linkOf) {
      reasons.push(`link of ${previous.linkOf ?? 'nothing'} → ${entry.linkOf ?? 'nothing'}`)
    }
    if (reasons.length > 0) yield { path: entry.path, change: 'changed', reasons }
  }
  for (const path of old.keys()) yield { path, change: 'removed', reasons: [] }
}

async function compare(a: Inode, b: Inode, options: DiffTreesOptions): Promise<string[]> {
  if (a.type !== b.type) return [`type ${a.type} → ${b.type}`]
  const reasons: string[] = []
  const [left, right] = options.times === false ? [withoutTime(a), withoutTime(b)] : [a, b]
  if (describeAttributes(left) !== describeAttributes(right)) {
    reasons.push(`attributes ${describeAttributes(left)} → ${describeAttributes(right)}`)
  }
  for (const name of new Set([...a.xattrs.keys(), ...b.xattrs.keys()])) {
    const [value, other] = [a.xattrs.get(name), b.xattrs.get(name)]
    if (!value || !other || !equalBytes(value, other)) reasons.push(`xattr ${name}`)
  }
  if (a.type === 'symlink' && b.type === 'symlink' && a.target !== b.target) {
    reasons.push(`target ${a.target} → ${b.target}`)
  }
  if (a.type === 'device' && b.type === 'device') {
    const [one, two] = [a, b].map((device) => `${device.kind} ${device.major}:${device.minor}`)
    if (one !== two) reasons.push(`device ${one} → ${two}`)
  }
  if (a.type === 'file' && b.type === 'file') {
    if (a.content.size !== b.content.size) reasons.push(`size ${a.content.size} → ${b.content.size}`)
    else if (options.contents !== false) {
      const offset = await firstDifference(a.content, b.content)
      if (offset !== undefined) reasons.push(`content from byte ${offset}`)
    }
  }
  return reasons
}

function withoutTime(inode: Inode): Inode {
  return { ...inode, mtime: { seconds: 0, nanoseconds: 0 } }
}

/** Offset of the first byte in which two sources of equal size differ. */
async function firstDifference(a: ByteSource, b: ByteSource): Promise<number | undefined> {
  if (a === b) return undefined
  const others = streamSource(b)
  let offset = 0
  for await (const chunk of streamSource(a)) {
    const other = (await others.next()).value as Uint8Array
    if (!equalBytes(chunk, other)) return offset + chunk.findIndex((byte, index) => byte !== other[index])
    offset += chunk.length
  }
  return undefined
}
