import type { BlockDevice, Uuid } from '@bootable/bytes'
import { formatSize, uuidFromBytes } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { emitPieces } from '../content/emit.ts'
import { findSparseRuns } from '../content/sparse.ts'
import { erofsError } from './errors.ts'
import { BLOCK_SIZE, EROFS_FEATURE_INCOMPAT_CHUNKED_FILE, EROFS_SUPER_OFFSET, SuperBlock } from './format.ts'
import { takeInventory } from './inventory.ts'
import { type ErofsLayout, layoutErofs } from './layout.ts'
import { checkIdentity, checkTime, type ErofsSizeOptions, type WriteErofsOptions } from './options.ts'
import { volumePieces } from './pieces.ts'
import { ordinaryProfile } from './profile.ts'
import { encodeSuperblock, superblockChecksum } from './superblock.ts'

/** What {@link writeErofs} made. */
export interface ErofsVolume {
  readonly uuid: Uuid
  readonly label: string
  /** Bytes of a block. */
  readonly blockSize: number
  /** Blocks in use, from the start of the device. */
  readonly blocks: number
  readonly inodes: number
}

/**
 * Writes a tree as an EROFS at the start of a device. Nothing is compressed; what is left of a file behind
 * its last full block stands beside its inode where that is at most half a block; files with holes are kept
 * in chunks. The superblock is written last: a device that was given up half-way is not taken for a
 * filesystem.
 *
 * @param device may be larger; must read as zero where nothing was written
 * @throws BootableError with an `ErofsErrorCode` before anything is written, or what the device throws
 */
export async function writeErofs(
  tree: FileTree,
  device: BlockDevice,
  options: WriteErofsOptions,
): Promise<ErofsVolume> {
  const { signal, onProgress } = options
  signal?.throwIfAborted()
  const identity = checkIdentity(tree, options)
  const profile = ordinaryProfile(identity.buildTime)
  const inventory = takeInventory(tree, profile)
  const sparse = await findSparseRuns(inventory.nodes, BLOCK_SIZE, signal)
  const layout = layoutErofs(inventory, profile, sparse)
  checkRoom(layout, device.size)

  const uuid = uuidFromBytes(identity.uuid)
  const id = `erofs ${uuid}`
  const total = layout.blocks * BLOCK_SIZE
  onProgress?.({ type: 'start', id, label: 'EROFS', unit: 'bytes', total })
  let done = 0
  const onWritten = (bytes: number): void => {
    done += bytes
    onProgress?.({ type: 'advance', id, done, total })
  }
  await emitPieces(device, volumePieces(layout, new Uint8Array()), { signal, onWritten })

  // The checksum covers the first inodes as well, and files that stand among them.
  const head = new Uint8Array(BLOCK_SIZE - EROFS_SUPER_OFFSET)
  await device.read(EROFS_SUPER_OFFSET, head)
  const isChunked = layout.places.some(({ chunks }) => chunks !== undefined)
  const featureIncompat = isChunked ? EROFS_FEATURE_INCOMPAT_CHUNKED_FILE : 0
  head.set(encodeSuperblock(layout, { ...identity, featureIncompat }))
  SuperBlock.write(head, 0, { checksum: superblockChecksum(head) })
  await device.write(EROFS_SUPER_OFFSET, head.subarray(0, SuperBlock.size))
  onProgress?.({ type: 'end', id })
  return {
    uuid,
    label: options.label ?? '',
    blockSize: BLOCK_SIZE,
    blocks: layout.blocks,
    inodes: inventory.nodes.length,
  }
}

/** What {@link measureErofs} answers. */
export interface ErofsMeasure {
  /** Bytes of the smallest device that takes the tree. */
  readonly minimumSize: number
}

/**
 * How large a device has to be for a tree. Pure arithmetic: nothing is read, so holes in files count as
 * data; otherwise it is exact.
 *
 * @throws BootableError for a tree that no EROFS can hold, or a wrong option
 */
export function measureErofs(tree: FileTree, options: ErofsSizeOptions = {}): ErofsMeasure {
  const profile = ordinaryProfile(checkTime(tree, options))
  const { blocks } = layoutErofs(takeInventory(tree, profile), profile, new Map())
  return { minimumSize: blocks * BLOCK_SIZE }
}

/** Blocks are numbered in 32 bits, and the greatest number stands for none. */
const MAX_BLOCKS = 0xffff_fffe

function checkRoom({ blocks, inventory }: ErofsLayout, size: number): void {
  const needed = blocks * BLOCK_SIZE
  if (blocks <= MAX_BLOCKS && needed <= size) return
  throw erofsError(
    'EROFS_NO_SPACE',
    `the tree takes an EROFS of ${needed} bytes (${formatSize(needed)}) for its ${inventory.nodes.length} inodes, the device has ${size} bytes (${formatSize(size)})`,
    { details: { minimum: needed, size }, hint: `give the filesystem ${needed - size} bytes more` },
  )
}
