import type { BlockDevice, Uuid } from '@bootable/bytes'
import { clearRange, uuidFromBytes } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { emitPieces } from '../content/emit.ts'
import { findSparseRuns } from '../content/sparse.ts'
import { SUPERBLOCK_OFFSET } from './format.ts'
import { hashSeed } from './htree.ts'
import { takeInventory } from './inventory.ts'
import { checkIdentity, checkSizes, type WriteExt4Options } from './options.ts'
import { filesystemPieces } from './pieces.ts'
import { planExt4 } from './plan.ts'
import { journalContent } from './records.ts'
import { countPlan, encodeSuperblock } from './superblock-encode.ts'

/** What {@link writeExt4} made. */
export interface Ext4Layout {
  readonly uuid: Uuid
  readonly label: string
  /** Bytes of a block. */
  readonly blockSize: number
  readonly blockCount: number
  readonly freeBlocks: number
  readonly inodeCount: number
  readonly freeInodes: number
  /** Blocks of the journal, 0 for none. */
  readonly journalBlocks: number
}

/**
 * Makes an ext4 filesystem over the whole of a device and puts a tree into it.
 *
 * The features are those of `mke2fs -t ext4` of Debian's e2fsprogs 1.47.0: no `metadata_csum_seed`, which
 * GRUB 2.06 cannot read, and no `orphan_file`, which kernels before 5.15 do not know. All four times of an inode are its modification time. The
 * device must read as zero where nothing was written, or be able to clear. The primary superblock is written last: a device
 * that was given up half-way is not taken for a filesystem.
 *
 * @throws BootableError with an `Ext4ErrorCode` before anything is written, or what the device throws
 */
export async function writeExt4(
  tree: FileTree,
  device: BlockDevice,
  options: WriteExt4Options,
): Promise<Ext4Layout> {
  const { signal, onProgress } = options
  signal?.throwIfAborted()
  const sizes = checkSizes(options)
  const identity = checkIdentity(tree, options)
  const inventory = takeInventory(tree, sizes.blockSize, hashSeed(identity.hashSeed))
  const sparse = await findSparseRuns(inventory.nodes, sizes.blockSize, signal)
  const plan = planExt4(inventory, device.size, sizes, sparse)
  const { geometry, placement } = plan

  const id = `ext4 ${uuidFromBytes(identity.uuid)}`
  const total = placement.taken * geometry.blockSize
  onProgress?.({ type: 'start', id, label: 'ext4', unit: 'bytes', total })
  let done = 0
  const onWritten = (bytes: number): void => {
    done = Math.min(done + bytes, total)
    onProgress?.({ type: 'advance', id, done, total })
  }
  const journal = journalContent(plan)
  // What is around the superblock may carry the marks of something else. Of the rest, all that anybody reads
  // is written: an empty journal is not, and tables of inodes are not where the device can clear.
  const zeroed = device.clear === undefined
  await clearRange(device, 0, (geometry.firstDataBlock + 1) * geometry.blockSize)
  await emitPieces(device, filesystemPieces(plan, identity, journal, zeroed), { signal, onWritten })
  await device.write(SUPERBLOCK_OFFSET, encodeSuperblock(plan, identity, journal, 0))
  onProgress?.({ type: 'end', id })

  const { freeBlocks, freeInodes, inodes } = countPlan(plan)
  const { blockSize, blockCount } = geometry
  return {
    uuid: uuidFromBytes(identity.uuid),
    label: options.label ?? '',
    blockSize,
    blockCount,
    freeBlocks,
    inodeCount: inodes,
    freeInodes,
    journalBlocks: plan.journalBlocks,
  }
}
