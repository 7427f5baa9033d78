import type { BlockDevice, Uuid } from '@bootable/bytes'
import { clearRange, uuidFromBytes } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { emitPieces } from '../content/emit.ts'
import { findSparseRuns } from '../content/sparse.ts'
import { takeInventory } from './inventory.ts'
import { BLOCK_SIZE, linearBlock } from './layout.ts'
import { checkIdentity, checkSizes, type WriteXfsOptions } from './options.ts'
import { filesystemPieces } from './pieces.ts'
import { createNumbering } from './placement.ts'
import { planXfs, type XfsPlan } from './plan.ts'
import { countPlan, encodeSuperblock } from './superblock-encode.ts'

/** What {@link writeXfs} made. */
export interface XfsLayout {
  readonly uuid: Uuid
  readonly label: string
  /** Bytes of a block: 4096. */
  readonly blockSize: number
  readonly blockCount: number
  readonly freeBlocks: number
  readonly agCount: number
  readonly inodeCount: number
  readonly freeInodes: number
  readonly logBlocks: number
}

/**
 * Makes an XFS over the whole of a device and puts a tree into it.
 *
 * Version 5 with `finobt`, `sparse`, `reflink`, `bigtime` and `inobtcount`, as mkfs.xfs 6.1 makes it: every
 * GRUB that reads version 5 with bigtime reads it, and the kernel from 5.10 on. All four times of an inode
 * are its modification time. The device must read as zero where nothing was written. The primary
 * superblock is written last: a device that was given up half-way is not taken for a filesystem.
 *
 * @throws BootableError with an `XfsErrorCode` before anything is written, or what the device throws
 */
export async function writeXfs(
  tree: FileTree,
  device: BlockDevice,
  options: WriteXfsOptions,
): Promise<XfsLayout> {
  const { signal, onProgress } = options
  signal?.throwIfAborted()
  const sizes = checkSizes(options)
  const identity = checkIdentity(tree, options)
  const inventory = takeInventory(tree)
  const sparse = await findSparseRuns(inventory.nodes, BLOCK_SIZE, signal)
  const plan = planXfs(inventory, device.size, sizes, sparse)
  const { geometry, placement } = plan
  const numberOf = createNumbering(geometry, placement)
  const facts = { identity, root: numberOf(0) }

  const id = `xfs ${uuidFromBytes(identity.uuid)}`
  const total = (placement.taken + geometry.agCount * geometry.headBlocks + 1) * BLOCK_SIZE
  onProgress?.({ type: 'start', id, label: 'xfs', unit: 'bytes', total })
  let done = 0
  const onWritten = (bytes: number): void => {
    done = Math.min(done + bytes, total)
    onProgress?.({ type: 'advance', id, done, total })
  }
  await clearLog(device, plan)
  const context = { uuid: identity.uuid, time: identity.time, numberOf }
  await emitPieces(device, filesystemPieces(plan, facts, context), { signal, onWritten })
  await device.write(0, encodeSuperblock(plan, facts, 0))
  onProgress?.({ type: 'end', id })

  const { freeBlocks, inodes, freeInodes } = countPlan(plan)
  return {
    uuid: uuidFromBytes(identity.uuid),
    label: options.label ?? '',
    blockSize: BLOCK_SIZE,
    blockCount: geometry.blockCount,
    freeBlocks,
    agCount: geometry.agCount,
    inodeCount: inodes,
    freeInodes,
    logBlocks: geometry.logBlocks,
  }
}

/** The kernel looks for the end of the log by the cycle in every block. */
async function clearLog(device: BlockDevice, { geometry }: XfsPlan): Promise<void> {
  const start = linearBlock(geometry, geometry.logGroup, geometry.headBlocks)
  await clearRange(device, start * BLOCK_SIZE, geometry.logBlocks * BLOCK_SIZE)
}
