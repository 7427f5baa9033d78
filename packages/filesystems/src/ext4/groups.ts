import { rawCrc32c } from '@bootable/bytes'
import { setBits } from './bitmap.ts'
import { descriptorChecksum } from './checksum.ts'
import {
  EXT4_BG_BLOCK_UNINIT,
  EXT4_BG_INODE_UNINIT,
  EXT4_BG_INODE_ZEROED,
  GroupDescriptor,
} from './format.ts'
import { type Geometry, groupHeader, groupLength, groupStart } from './layout.ts'
import type { Ext4Plan } from './plan.ts'

/** What one block group has in use. */
export interface GroupUsage {
  readonly group: number
  readonly freeBlocks: number
  /** Inodes from the first of its table up to the last one in use. */
  readonly usedInodes: number
  readonly directories: number
  /** `undefined` where it follows from the geometry, so that it need not be written (`BLOCK_UNINIT`). */
  readonly blockBitmap: Uint8Array | undefined
  /** `undefined` where no inode is in use (`INODE_UNINIT`). */
  readonly inodeBitmap: Uint8Array | undefined
}

/** Bitmaps and counts of every group in order, one at a time. */
export function* groupUsage({ geometry, inventory, placement }: Ext4Plan): Generator<GroupUsage> {
  const { inodesPerGroup, groupCount } = geometry
  const directories = new Uint32Array(groupCount)
  for (const { number, inode } of inventory.nodes) {
    const group = Math.floor((number - 1) / inodesPerGroup)
    if (inode.type === 'directory') directories[group] = (directories[group] as number) + 1
  }
  let firstRun = 0
  for (let group = 0; group < groupCount; group++) {
    const start = groupStart(geometry, group)
    const length = groupLength(geometry, group)
    while (firstRun < geometry.metadata.length && runEnd(geometry, firstRun) <= start) firstRun++
    const bitmap = new Uint8Array(geometry.blockSize)
    let used = Math.min(Math.max(placement.end - start, 0), length)
    setBits(bitmap, 0, used)
    for (let run = firstRun; run < geometry.metadata.length; run++) {
      const block = geometry.metadata[run]?.block as number
      if (block >= start + length) break
      const from = Math.max(block - start, 0, placement.end - start)
      const to = Math.min(runEnd(geometry, run) - start, length)
      setBits(bitmap, from, to)
      used += Math.max(to - from, 0)
    }
    setBits(bitmap, length, geometry.blockSize * 8)

    const usedInodes = Math.min(Math.max(inventory.lastInode - group * inodesPerGroup, 0), inodesPerGroup)
    const isLast = group === groupCount - 1
    // The kernel derives a bitmap from the group's own header, never from what else lies there; e2fsprogs
    // always writes the last one, whose end is padding.
    const follows = used === groupHeader(geometry, group) && !isLast && group > 0
    yield {
      group,
      freeBlocks: length - used,
      usedInodes,
      directories: directories[group] as number,
      blockBitmap: follows ? undefined : bitmap,
      inodeBitmap: usedInodes > 0 ? inodeBitmap(geometry, usedInodes) : undefined,
    }
  }
}

function runEnd({ metadata }: Geometry, index: number): number {
  const run = metadata[index]
  return run ? run.block + run.length : 0
}

/** Numbers are given without gaps, so the bitmap is a row of ones; its padding is ones as well. */
function inodeBitmap({ blockSize, inodesPerGroup }: Geometry, used: number): Uint8Array {
  const bitmap = new Uint8Array(blockSize)
  setBits(bitmap, 0, used)
  setBits(bitmap, inodesPerGroup, blockSize * 8)
  return bitmap
}

/**
 * The group descriptor table, sealed.
 * @param seed checksum seed of the filesystem
 * @param zeroed whether what is not written of inode tables reads as zero
 */
export function encodeDescriptors(
  plan: Ext4Plan,
  usages: Iterable<GroupUsage>,
  seed: number,
  zeroed: boolean,
): Uint8Array {
  const { geometry } = plan
  const { blockBitmaps, inodeBitmaps, inodeTables, inodesPerGroup, blocksPerGroup } = geometry
  const bytes = new Uint8Array(geometry.descriptorBlocks * geometry.blockSize)
  const descriptor = GroupDescriptor.at(bytes)
  for (const usage of usages) {
    const { group, blockBitmap, inodeBitmap, freeBlocks, usedInodes, directories } = usage
    const [blocks, inodes, table] = [blockBitmaps, inodeBitmaps, inodeTables].map(
      (positions) => positions[group] as number,
    ) as [number, number, number]
    const freeInodes = inodesPerGroup - usedInodes
    const blockSum = blockBitmap ? rawCrc32c(blockBitmap, seed, 0, blocksPerGroup / 8) : 0
    const inodeSum = inodeBitmap ? rawCrc32c(inodeBitmap, seed, 0, inodesPerGroup / 8) : 0

    descriptor.base = group * GroupDescriptor.size
    descriptor.blockBitmapLo = blocks % 2 ** 32
    descriptor.blockBitmapHi = Math.floor(blocks / 2 ** 32)
    descriptor.inodeBitmapLo = inodes % 2 ** 32
    descriptor.inodeBitmapHi = Math.floor(inodes / 2 ** 32)
    descriptor.inodeTableLo = table % 2 ** 32
    descriptor.inodeTableHi = Math.floor(table / 2 ** 32)
    descriptor.freeBlocksCountLo = freeBlocks & 0xffff
    descriptor.freeBlocksCountHi = freeBlocks >>> 16
    descriptor.freeInodesCountLo = freeInodes & 0xffff
    descriptor.freeInodesCountHi = freeInodes >>> 16
    descriptor.itableUnusedLo = freeInodes & 0xffff
    descriptor.itableUnusedHi = freeInodes >>> 16
    descriptor.usedDirsCountLo = directories & 0xffff
    descriptor.usedDirsCountHi = directories >>> 16
    // Without the flag the kernel zeroes the rest of the table in the background, when it first mounts it.
    descriptor.flags =
      (zeroed ? EXT4_BG_INODE_ZEROED : 0) |
      (blockBitmap ? 0 : EXT4_BG_BLOCK_UNINIT) |
      (inodeBitmap ? 0 : EXT4_BG_INODE_UNINIT)
    descriptor.blockBitmapCsumLo = blockSum & 0xffff
    descriptor.blockBitmapCsumHi = blockSum >>> 16
    descriptor.inodeBitmapCsumLo = inodeSum & 0xffff
    descriptor.inodeBitmapCsumHi = inodeSum >>> 16
    descriptor.checksum = descriptorChecksum(bytes, descriptor.base, GroupDescriptor.size, group, seed)
  }
  return bytes
}
