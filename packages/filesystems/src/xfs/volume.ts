import type { ByteSource, GatherPiece } from '@bootable/bytes'
import { equalBytes } from '@bootable/bytes'
import { isSealed } from './checksum.ts'
import { xfsFormatError } from './errors.ts'
import type { Extent } from './extents.ts'
import type { SuperblockDetails } from './superblock.ts'

/** A filesystem that is being read. */
export interface Volume {
  readonly source: ByteSource
  readonly superblock: SuperblockDetails
}

/** Blocks of metadata that were followed already. Whoever claims one twice runs in a circle. */
export interface Claims {
  /** @param block from the start of the device @throws FormatError where it is in use already */
  add(block: number, what: string): void
  readonly size: number
}

export function createClaims(): Claims {
  const claimed = new Set<number>()
  return {
    get size() {
      return claimed.size
    },
    add(block, what) {
      if (claimed.has(block)) throw xfsFormatError('FORMAT_INVALID', what, `block ${block} is in use already`)
      claimed.add(block)
    },
  }
}

/**
 * Where a block lies, from the start of the device.
 * @param number as `xfs_fsblock_t`: the group stands in the bits above the block
 * @throws FormatError where there is no such block
 */
export function linearBlockOf(
  { superblock }: Volume,
  number: number,
  length: number,
  structure: string,
): number {
  const { agBlocks, agBlockLog, blockCount } = superblock
  const group = Math.floor(number / 2 ** agBlockLog)
  const block = number % 2 ** agBlockLog
  const linear = group * agBlocks + block
  if (block > 0 && block + length <= agBlocks && linear + length <= blockCount) return linear
  throw xfsFormatError('FORMAT_INVALID', structure, `block ${number} is outside`)
}

/** What the header of a block must say about it. */
export interface BlockIdentity {
  readonly structure: string
  /** Offset of the checksum, of `blkno`, of the uuid and of the owner in the block. */
  readonly fields: {
    readonly crc: { readonly offset: number }
    readonly blkno: { readonly offset: number }
    readonly uuid: { readonly offset: number }
    readonly owner: { readonly offset: number }
  }
  /** Inode number of the owner. */
  readonly owner: number
  /** Where the block lies, from the start of the device. */
  readonly block: number
}

/** Refuses a block that is damaged, or another one. @throws FormatError */
export function checkBlock({ superblock }: Volume, bytes: Uint8Array, identity: BlockIdentity): void {
  const { structure, fields, owner, block } = identity
  const offset = block * superblock.blockSize
  if (!isSealed(bytes, fields.crc.offset)) {
    throw xfsFormatError('FORMAT_CHECKSUM', structure, 'its checksum is wrong', offset)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const uuid = bytes.subarray(fields.uuid.offset, fields.uuid.offset + 16)
  const isGood =
    wide(view, fields.blkno.offset) === (block * superblock.blockSize) / 512 &&
    wide(view, fields.owner.offset) === owner &&
    equalBytes(uuid, superblock.metaUuid)
  if (!isGood) throw xfsFormatError('FORMAT_INVALID', structure, 'it belongs elsewhere', offset)
}

/** 64 bits as a number, rounded above 2^53: good for comparing with what is no larger. */
export function wide(view: DataView, at: number): number {
  return view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4)
}

/** The reads that fill `target` from a logical block of a fork on; what lies in no extent stays as it is. */
export function forkPieces(
  { source, superblock: { blockSize } }: Volume,
  extents: readonly Extent[],
  logical: number,
  target: Uint8Array,
): GatherPiece[] {
  const end = logical + target.length / blockSize
  const pieces: GatherPiece[] = []
  for (const extent of extents) {
    const from = Math.max(logical, extent.logical)
    const to = Math.min(end, extent.logical + extent.length)
    if (from >= to) continue
    pieces.push({
      source,
      offset: (extent.physical + from - extent.logical) * blockSize,
      target: target.subarray((from - logical) * blockSize, (to - logical) * blockSize),
    })
  }
  return pieces
}
