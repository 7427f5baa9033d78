import { alignDown, gather } from '@bootable/bytes'
import type { Timestamp } from '@bootable/tree'
import type { Volume } from './blocks.ts'
import { descriptorChecksum, inodeChecksum, inodeSeed } from './checksum.ts'
import { ext4FormatError } from './errors.ts'
import { EXT4_GOOD_OLD_INODE_SIZE, GroupDescriptor, InodeStruct, SUPERBLOCK_OFFSET } from './format.ts'
import { decodeTime } from './time.ts'
import { decodeXattrBody } from './xattrs.ts'

/** An inode as its table has it. */
export interface RawInode {
  readonly number: number
  /** `st_mode`, the type with it. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes. */
  readonly size: number
  readonly flags: number
  readonly mtime: Timestamp
  /** `i_block`. */
  readonly block: Uint8Array
  /** Attributes that stand in the inode. */
  readonly xattrs: Map<string, Uint8Array>
  /** Block of further attributes, 0 for none. */
  readonly xattrBlock: number
  /** Seed of the checksums of its blocks; `undefined` without checksums. */
  readonly seed: number | undefined
}

/** Reads inodes by their numbers. */
export interface InodeReader {
  /** Reads the parts of the tables that hold these inodes, as few reads as possible. */
  load(numbers: Iterable<number>): Promise<void>
  /** An inode loaded before. @throws FormatError */
  get(number: number): RawInode
}

/** Inodes of one table that are read together. */
const CHUNK = 256
/** Chunks kept. Beyond, all are forgotten: a hostile directory could ask for every one. */
const MAX_CHUNKS = 1024

/** @param volume its superblock has been checked */
export function createInodeReader(volume: Volume): InodeReader {
  const { source, superblock } = volume
  const { inodesPerGroup, inodeSize, inodeCount, blockSize, blockCount, checksumSeed } = superblock
  const tables = new Map<number, number>()
  const chunks = new Map<number, { readonly bytes: Uint8Array; readonly offset: number }>()
  const perGroup = Math.ceil(inodesPerGroup / CHUNK)

  function place(number: number): { group: number; chunk: number; first: number; index: number } {
    if (number < 1 || number > inodeCount) {
      throw ext4FormatError('FORMAT_INVALID', `inode ${number}`, `there are ${inodeCount} inodes`)
    }
    const group = Math.floor((number - 1) / inodesPerGroup)
    const index = (number - 1) % inodesPerGroup
    const first = alignDown(index, CHUNK)
    return { group, chunk: group * perGroup + first / CHUNK, first, index: index - first }
  }

  /** First byte of a group's inode table, from its descriptor. */
  async function loadTables(groups: ReadonlySet<number>): Promise<void> {
    const missing = [...groups].filter((group) => !tables.has(group))
    const size = superblock.descriptorSize
    const start = (Math.floor(SUPERBLOCK_OFFSET / blockSize) + 1) * blockSize
    const descriptors = missing.map(() => new Uint8Array(Math.max(size, GroupDescriptor.size)))
    await gather(
      missing.map((group, index) => ({
        source,
        offset: start + group * size,
        target: (descriptors[index] as Uint8Array).subarray(0, size),
      })),
    )
    for (const [index, group] of missing.entries()) {
      const bytes = descriptors[index] as Uint8Array
      const { inodeTableLo, inodeTableHi, checksum } = GroupDescriptor.read(bytes)
      const offset = start + group * size
      if (
        checksumSeed !== undefined &&
        descriptorChecksum(bytes, 0, size, group, checksumSeed) !== checksum
      ) {
        throw ext4FormatError('FORMAT_CHECKSUM', `ext4_group_desc ${group}`, 'its checksum is wrong', offset)
      }
      const table = inodeTableLo + (size > 32 ? inodeTableHi * 2 ** 32 : 0)
      if (table === 0 || table * blockSize + inodesPerGroup * inodeSize > blockCount * blockSize) {
        const message = `its inode table at block ${table} is outside`
        throw ext4FormatError('FORMAT_INVALID', `ext4_group_desc ${group}`, message, offset)
      }
      tables.set(group, table * blockSize)
    }
  }

  return {
    async load(numbers) {
      const asked = new Map([...numbers].map(place).map((position) => [position.chunk, position]))
      // Chunks of this very call must not be forgotten by it.
      if (chunks.size + asked.size > MAX_CHUNKS) chunks.clear()
      const wanted = new Map([...asked].filter(([chunk]) => !chunks.has(chunk)))
      if (wanted.size === 0) return
      await loadTables(new Set([...wanted.values()].map(({ group }) => group)))
      const loaded = [...wanted].map(([chunk, { group, first }]) => {
        const bytes = new Uint8Array(Math.min(CHUNK, inodesPerGroup - first) * inodeSize)
        return { chunk, bytes, offset: (tables.get(group) as number) + first * inodeSize }
      })
      await gather(loaded.map(({ bytes, offset }) => ({ source, offset, target: bytes })))
      for (const { chunk, bytes, offset } of loaded) chunks.set(chunk, { bytes, offset })
    },
    get(number) {
      const { chunk, index } = place(number)
      const loaded = chunks.get(chunk)
      if (!loaded) throw new RangeError(`inode ${number} was not loaded`)
      const base = index * inodeSize
      const bytes = loaded.bytes.subarray(base, base + inodeSize)
      return decodeInode(bytes, number, loaded.offset + base, checksumSeed)
    },
  }
}

/** @param bytes exactly the inode; @param offset of it in the filesystem, for messages */
function decodeInode(
  bytes: Uint8Array,
  number: number,
  offset: number,
  checksumSeed: number | undefined,
): RawInode {
  const inode = InodeStruct.at(bytes)
  const check = (isGood: boolean, message: string): void => {
    if (!isGood) throw ext4FormatError('FORMAT_INVALID', `inode ${number}`, message, offset)
  }
  const hasExtra = bytes.length > EXT4_GOOD_OLD_INODE_SIZE
  const extraIsize = hasExtra ? inode.extraIsize : 0
  const seed = checksumSeed === undefined ? undefined : inodeSeed(checksumSeed, number, inode.generation)
  if (seed !== undefined) {
    const isWide = extraIsize >= InodeStruct.fields.checksumHi.offset + 2 - EXT4_GOOD_OLD_INODE_SIZE
    const stored = inode.checksumLo + (isWide ? inode.checksumHi * 2 ** 16 : 0)
    const actual = inodeChecksum(bytes, 0, bytes.length, seed)
    if ((isWide ? actual : actual & 0xffff) !== stored) {
      throw ext4FormatError('FORMAT_CHECKSUM', `inode ${number}`, 'its checksum is wrong', offset)
    }
  }
  check(inode.mode !== 0 && inode.linksCount !== 0, 'it is not in use')
  const end = EXT4_GOOD_OLD_INODE_SIZE + extraIsize
  check(end <= bytes.length && extraIsize % 4 === 0, `i_extra_isize is ${extraIsize}`)
  const size = inode.sizeLo + inode.sizeHigh * 2 ** 32
  check(Number.isSafeInteger(size), `its size is ${size}`)

  const xattrs = new Map<string, Uint8Array>()
  if (hasExtra && extraIsize > 0) decodeXattrBody(bytes.subarray(end), offset + end, xattrs)
  const hasMtimeExtra = extraIsize >= InodeStruct.fields.mtimeExtra.offset + 4 - EXT4_GOOD_OLD_INODE_SIZE
  return {
    number,
    mode: inode.mode,
    uid: inode.uid + inode.uidHigh * 2 ** 16,
    gid: inode.gid + inode.gidHigh * 2 ** 16,
    size,
    flags: inode.flags,
    mtime: decodeTime(inode.mtime, hasMtimeExtra ? inode.mtimeExtra : 0),
    block: inode.block,
    xattrs,
    xattrBlock: inode.fileAclLo + inode.fileAclHigh * 2 ** 32,
    seed,
  }
}
