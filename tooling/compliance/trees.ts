import type { ByteSource } from '@bootable/bytes'
import { memorySource, sparseSource } from '@bootable/bytes'
import type { Directory, FileTree, Inode } from '@bootable/tree'
import {
  createDevice,
  createDirectory,
  createFifo,
  createFile,
  createSocket,
  createSymlink,
  createTree,
  EPOCH,
  sortedEntries,
} from '@bootable/tree'
import * as fc from 'fast-check'
import type { FilesystemLimits } from './limits.ts'

/** `size` bytes that look random, hold no block of zeros and depend on nothing but `seed`. */
export function patternBytes(size: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(size / 4))
  let state = (seed * 0x9e3779b9) >>> 0 || 1
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[index] = state
  }
  return new Uint8Array(words.buffer, 0, size)
}

/** A file of `size` bytes that is a hole but for `length` bytes at each of the offsets. */
export function holedSource(size: number, offsets: readonly number[], length: number): ByteSource {
  const extents = offsets.map((offset, index) => ({
    offset,
    length,
    source: memorySource(patternBytes(length, index + 1)),
    sourceOffset: 0,
  }))
  return sparseSource(size, extents)
}

/** The part of a tree that the filesystem has a place for; what it cannot name or hold is left out. */
export function holdable(tree: FileTree, limits: FilesystemLimits): FileTree {
  const held = (inode: Inode): boolean => {
    if (inode.type === 'symlink') {
      return (
        limits.symlinks && new TextEncoder().encode(inode.target).length <= limits.symlinks.maxTargetBytes
      )
    }
    if (inode.type === 'device') {
      return limits.devices && inode.major <= limits.devices.major && inode.minor <= limits.devices.minor
    }
    return (inode.type !== 'fifo' && inode.type !== 'socket') || limits.fifos
  }
  const prune = (directory: Directory): Directory => {
    const entries = new Map<string, Inode>()
    const taken = new Set<string>()
    for (const [name, inode] of sortedEntries(directory)) {
      const key = limits.caseInsensitive ? name.toUpperCase() : name
      if (!held(inode) || !limits.nameAllowed(name) || taken.has(key)) continue
      taken.add(key)
      entries.set(name, inode.type === 'directory' ? prune(inode) : inode)
    }
    return { ...directory, entries }
  }
  return { root: prune(tree.root) }
}

/** What a tree must read back as, given what the filesystem does not store. */
export function expectedTree(tree: FileTree, limits: FilesystemLimits): FileTree {
  const copies = new Map<Inode, Inode>()
  const convert = (inode: Inode): Inode => {
    const known = limits.hardLinks ? copies.get(inode) : undefined
    if (known) return known
    const owner = limits.owners ? {} : { uid: 0, gid: 0 }
    const copy: Inode = { ...inode, ...owner, mode: limits.mode(inode), mtime: limits.time(inode.mtime) }
    if (!limits.xattrs) copy.xattrs = new Map()
    copies.set(inode, copy)
    if (copy.type !== 'directory') return copy
    const entries = [...copy.entries].map(([name, child]): [string, Inode] => [name, convert(child)])
    return { ...copy, entries: new Map(entries) }
  }
  const root = convert(tree.root) as Directory
  if (!limits.rootTime) root.mtime = EPOCH
  return { root }
}

/** A random tree within the limits: up to 40 names of every kind, with sizes around the boundaries. */
export function arbitraryTree(limits: FilesystemLimits): fc.Arbitrary<FileTree> {
  const owner = limits.owners ? fc.nat(limits.owners.maximum) : fc.nat(100_000)
  const xattrs = limits.xattrs || { maxTotalBytes: 64, maxValueBytes: 64 }
  const attributes = fc.record({
    mode: fc.nat(0o7777),
    uid: owner,
    gid: owner,
    mtime: fc.record({
      seconds: fc.oneof(
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        fc.integer({ min: 0, max: 2 ** 33 }),
        fc.constantFrom(0, -1, 2 ** 31, 2 ** 32),
      ),
      nanoseconds: fc.oneof(fc.constant(0), fc.nat(999_999_999)),
    }),
    xattrs: arbitraryXattrs(Math.floor(xattrs.maxTotalBytes / 3), xattrs.maxValueBytes),
  })
  const entry = fc.record({
    parent: fc.nat(),
    name: arbitraryName(),
    kind: fc.constantFrom(
      'file',
      'file',
      'file',
      'directory',
      'directory',
      'symlink',
      'device',
      'fifo',
      'link',
    ),
    attributes,
    size: arbitrarySize(limits.boundaries),
    seed: fc.nat(2 ** 31),
    holes: fc.boolean(),
    target: fc.string({ unit: 'binary', minLength: 1, maxLength: 90 }).filter((text) => !text.includes('\0')),
  })
  return fc.tuple(attributes, fc.array(entry, { maxLength: 40 })).map(([root, entries]) => {
    const tree = createTree(root)
    const directories = [tree.root]
    const others: Inode[] = []
    for (const { parent, name, kind, attributes, size, seed, holes, target } of entries) {
      const directory = directories[parent % directories.length] as Directory
      if (directory.entries.has(name)) continue
      const inode = ((): Inode => {
        if (kind === 'directory') return createDirectory(attributes)
        if (kind === 'symlink') return createSymlink(target, { ...attributes, mode: 0o777 })
        if (kind === 'device') {
          const type = seed % 2 === 0 ? 'block' : 'character'
          return createDevice(type, seed % 4096, (seed >>> 8) % 0xf_ffff, attributes)
        }
        if (kind === 'fifo') return seed % 2 === 0 ? createFifo(attributes) : createSocket(attributes)
        if (kind === 'link' && others.length > 0) return others[seed % others.length] as Inode
        const offsets = [Math.floor(size / 3), Math.floor((size * 2) / 3)].filter((at) => at + 100 <= size)
        const content = holes ? holedSource(size, size > 300 ? offsets : [], 100) : patternBytes(size, seed)
        return createFile(content, attributes)
      })()
      directory.entries.set(name, inode)
      if (inode.type === 'directory') directories.push(inode)
      else others.push(inode)
    }
    return holdable(tree, limits)
  })
}

function arbitraryName(): fc.Arbitrary<string> {
  const short = fc.stringMatching(/^[a-zA-Z0-9_~-]{1,8}(\.[a-zA-Z0-9]{1,3})?$/)
  const words = fc.stringMatching(/^[a-zA-Z0-9 ._+,;=[\]-]{1,40}$/)
  const any = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
  const alike = fc.nat(20).map((index) => `vmlinuz-6.1.0-${index}-generic.efi`)
  const long = fc.integer({ min: 200, max: 255 }).map((length) => 'x'.repeat(length))
  return fc.oneof(short, words, any, alike, long).filter((name) => name !== '.' && name !== '..')
}

/** Sizes at, just below and just above the boundaries and their multiples, besides arbitrary small ones. */
function arbitrarySize(boundaries: readonly number[]): fc.Arbitrary<number> {
  const near = fc
    .tuple(fc.constantFrom(...boundaries), fc.integer({ min: 1, max: 4 }), fc.integer({ min: -1, max: 1 }))
    .map(([boundary, times, step]) => Math.min(boundary * times, 300_000) + step)
  return fc.oneof(fc.constant(0), fc.nat(200), near, fc.nat(40_000))
}

function arbitraryXattrs(budget: number, maxValue: number): fc.Arbitrary<Map<string, Uint8Array>> {
  const name = fc
    .tuple(fc.constantFrom('user', 'trusted', 'security'), fc.stringMatching(/^[a-z_.]{1,20}$/))
    .map(([namespace, rest]) => `${namespace}.${rest}`)
  const value = fc.uint8Array({ maxLength: Math.min(budget, maxValue, 600) })
  const pairs = fc.uniqueArray(fc.tuple(name, value), { maxLength: 3, selector: ([key]) => key })
  return fc.oneof(
    fc.constant(new Map<string, Uint8Array>()),
    pairs.map((list) => new Map(list)),
  )
}
