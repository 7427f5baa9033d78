import { alignDown, equalBytes, gather } from '@bootable/bytes'
import type { Timestamp } from '@bootable/tree'
import { isSealed } from './checksum.ts'
import { xfsFormatError } from './errors.ts'
import type { Fork } from './fork-reader.ts'
import * as xfs from './format.ts'
import type { SuperblockDetails } from './superblock.ts'
import { decodeTime } from './time.ts'
import { type Volume, wide } from './volume.ts'

/** An inode as it stands on the device. */
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
  readonly data: Fork
  /** `undefined` for an inode without attributes. */
  readonly attributes: Fork | undefined
}

/** Reads inodes by their numbers. */
export interface InodeReader {
  /** Reads the parts of the device that hold these inodes, as few reads as possible. */
  load(numbers: Iterable<number>): Promise<void>
  /** An inode loaded before. @throws FormatError */
  get(number: number): RawInode
}

/** Inodes that are read together. */
const CHUNK = xfs.XFS_INODES_PER_CHUNK
/** Chunks kept. Beyond, all are forgotten: a hostile directory could ask for every one. */
const MAX_CHUNKS = 4096

/** @param volume its superblock has been checked */
export function createInodeReader({ source, superblock }: Volume): InodeReader {
  const { agBlocks, agBlockLog, inodeBlockLog, inodeSize, blockSize, blockCount } = superblock
  const chunks = new Map<number, { readonly bytes: Uint8Array; readonly offset: number }>()
  const perGroup = 2 ** (agBlockLog + inodeBlockLog)

  function place(number: number): { chunk: number; offset: number; length: number; index: number } {
    const group = Math.floor(number / perGroup)
    const within = number % perGroup
    const first = alignDown(within, CHUNK)
    const start = group * agBlocks * blockSize
    const end = Math.min(start + agBlocks * blockSize, blockCount * blockSize)
    const offset = start + first * inodeSize
    const index = within - first
    if (within === 0 || start + (within + 1) * inodeSize > end) {
      throw xfsFormatError('FORMAT_INVALID', `inode ${number}`, 'it is outside')
    }
    return { chunk: number - index, offset, length: Math.min(CHUNK * inodeSize, end - offset), index }
  }

  return {
    async load(numbers) {
      const asked = new Map([...numbers].map(place).map((position) => [position.chunk, position]))
      // Chunks of this very call must not be forgotten by it.
      if (chunks.size + asked.size > MAX_CHUNKS) chunks.clear()
      const wanted = [...asked.values()].filter(({ chunk }) => !chunks.has(chunk))
      const loaded = wanted.map(({ chunk, offset, length }) => {
        return { chunk, offset, bytes: new Uint8Array(length) }
      })
      await gather(loaded.map(({ bytes, offset }) => ({ source, offset, target: bytes })))
      for (const { chunk, bytes, offset } of loaded) chunks.set(chunk, { bytes, offset })
    },
    get(number) {
      const { chunk, index } = place(number)
      const loaded = chunks.get(chunk)
      if (!loaded) throw new RangeError(`inode ${number} was not loaded`)
      const base = index * inodeSize
      return decodeInode(
        loaded.bytes.subarray(base, base + inodeSize),
        number,
        loaded.offset + base,
        superblock,
      )
    },
  }
}

/** @param bytes exactly the inode; @param offset of it in the filesystem, for messages */
function decodeInode(
  bytes: Uint8Array,
  number: number,
  offset: number,
  superblock: SuperblockDetails,
): RawInode {
  const inode = xfs.InodeCore.at(bytes)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const { fields } = xfs.InodeCore
  const check = (isGood: boolean, message: string): void => {
    if (!isGood) throw xfsFormatError('FORMAT_INVALID', `inode ${number}`, message, offset)
  }
  check(inode.magic === xfs.XFS_DINODE_MAGIC && inode.version === 3, 'it is not an inode')
  if (!isSealed(bytes, fields.crc.offset)) {
    throw xfsFormatError('FORMAT_CHECKSUM', `inode ${number}`, 'its checksum is wrong', offset)
  }
  const uuid = bytes.subarray(fields.uuid.offset, fields.uuid.offset + 16)
  const isItself = wide(view, fields.ino.offset) === number && equalBytes(uuid, superblock.metaUuid)
  check(isItself, 'it belongs elsewhere')
  check(inode.mode !== 0 && inode.nlink !== 0, 'it is not in use')
  const size = wide(view, fields.size.offset)
  check(Number.isSafeInteger(size), `its size is ${size}`)

  const flags2 = inode.flags2
  const isLarge = (flags2 & xfs.XFS_DIFLAG2_NREXT64) !== 0n
  const forks = bytes.subarray(xfs.DINODE_SIZE)
  const forkOffset = inode.forkoff * 8
  check(forkOffset < forks.length, `di_forkoff is ${inode.forkoff}`)
  return {
    number,
    mode: inode.mode,
    uid: inode.uid,
    gid: inode.gid,
    size,
    flags: inode.flags,
    mtime: decodeTime(inode.mtime, (flags2 & xfs.XFS_DIFLAG2_BIGTIME) !== 0n),
    data: {
      number,
      format: inode.format,
      extents: isLarge ? wide(view, fields.bigNextents.offset) : inode.nextents,
      bytes: forks.subarray(0, forkOffset || forks.length),
    },
    attributes:
      forkOffset === 0
        ? undefined
        : {
            number,
            format: inode.aformat,
            extents: isLarge ? inode.nextents : inode.anextents,
            bytes: forks.subarray(forkOffset),
          },
  }
}
