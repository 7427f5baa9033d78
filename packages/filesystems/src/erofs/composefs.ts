import type { ByteSource, OperationOptions } from '@bootable/bytes'
import { memorySink } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { emitPieces } from '../content/emit.ts'
import {
  BLOCK_SIZE,
  ComposefsHeader,
  EROFS_FEATURE_COMPAT_MTIME,
  EROFS_FEATURE_COMPAT_XATTR_FILTER,
  EROFS_SUPER_OFFSET,
  LCFS_EROFS_FLAGS_HAS_ACL,
  LCFS_EROFS_MAGIC,
  LCFS_EROFS_VERSION,
} from './format.ts'
import { takeInventory } from './inventory.ts'
import { layoutErofs } from './layout.ts'
import { volumePieces } from './pieces.ts'
import { COMPOSEFS } from './profile.ts'
import { encodeSuperblock } from './superblock.ts'

/**
 * The image that `lcfs_write_to` of libcomposefs makes, byte for byte, of a tree that has already been
 * prepared for overlayfs: attributes escaped, `trusted.overlay.redirect` set, whiteouts added. Files keep
 * their content elsewhere, so of each only the size is told; nothing is read. The image has no uuid, no
 * checksum and the time 0.
 *
 * @returns the image, kept in memory: it grows with the number of inodes, not with their content
 * @throws BootableError with an `ErofsErrorCode`
 */
export async function encodeComposefs(tree: FileTree, options: OperationOptions = {}): Promise<ByteSource> {
  const { signal } = options
  signal?.throwIfAborted()
  const inventory = takeInventory(tree, COMPOSEFS)
  const layout = layoutErofs(inventory, COMPOSEFS, new Map())
  const header = ComposefsHeader.encode({
    magic: LCFS_EROFS_MAGIC,
    version: LCFS_EROFS_VERSION,
    flags: inventory.hasAcl ? LCFS_EROFS_FLAGS_HAS_ACL : 0,
  })
  const image = memorySink()
  await emitPieces(image, volumePieces(layout, header), { signal })
  await image.truncate(layout.blocks * BLOCK_SIZE)
  const featureCompat = EROFS_FEATURE_COMPAT_MTIME | EROFS_FEATURE_COMPAT_XATTR_FILTER
  const superblock = encodeSuperblock(layout, { featureCompat, buildTime: COMPOSEFS.buildTime })
  await image.write(EROFS_SUPER_OFFSET, superblock)
  return image.source()
}
