import type { ByteSource, OperationOptions, RuntimeOptions } from '@bootable/bytes'
import { toHex } from '@bootable/bytes'
import { encodeComposefs } from '@bootable/filesystems/erofs'
import type { FileTree } from '@bootable/tree'
import type { Checksum } from '../object/checksum.ts'
import { fsVerityDigest } from './fs-verity.ts'
import { type OverlayTreeOptions, overlayTree } from './overlay-tree.ts'

/** Options of {@link composefsImage}. */
export interface ComposefsImageOptions extends OverlayTreeOptions, OperationOptions, RuntimeOptions {}

/** An image that shows a commit. */
export interface ComposefsImage {
  /** Kept in memory: a few hundred bytes for each name of the tree. */
  readonly content: ByteSource
  /** Its fs-verity digest, by which a signed commit names it (`ostree.composefs.digest.v0`). */
  readonly digest: Checksum
}

/**
 * The `.ostree.cfs` of a deployment, byte for byte what `ostree admin deploy` makes with libcomposefs 1.0.8:
 * an EROFS of the commit's names and attributes, whose files are found among the objects of the repository.
 * No file is read.
 *
 * @param tree as committed: with `usr/etc` and without `etc`
 * @throws BootableError with an `ErofsErrorCode` for a tree that the format cannot hold
 */
export async function composefsImage(
  tree: FileTree,
  options: ComposefsImageOptions,
): Promise<ComposefsImage> {
  const { checksums, digests, ...operation } = options
  const content = await encodeComposefs(
    overlayTree(tree, { checksums, ...(digests && { digests }) }),
    operation,
  )
  return { content, digest: toHex(await fsVerityDigest(content, operation)) }
}
