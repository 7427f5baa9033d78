import type { BlockDevice, OperationOptions, RuntimeOptions } from '@bootable/bytes'
import {
  type BtrfsCompression,
  type BtrfsSizeOptions,
  measureBtrfs,
  writeBtrfs,
} from '@bootable/filesystems/btrfs'
import type { FileTree } from '@bootable/tree'
import type { BtrfsContent } from '../plan/content.ts'

/** What of a subvolume its writer wants to know. */
interface VolumeSubvolume {
  /** Path from the top level; empty for the top level itself. */
  readonly name: string
  readonly compress?: string
  readonly uuid?: string
}

/**
 * Bytes of the smallest device that takes a volume with its subvolumes.
 * @param tree the top level, subvolumes as directories in it
 */
export function measureBtrfsVolume(tree: FileTree, subvolumes: readonly VolumeSubvolume[]): number {
  return measureBtrfs(tree, sizeOptions(subvolumes)).minimumSize
}

/** Writes a volume with its subvolumes. What mount options say about compression is done at once. */
export async function writeBtrfsVolume(
  tree: FileTree,
  device: BlockDevice,
  { uuid, label, subvolumes }: BtrfsContent,
  options: OperationOptions & RuntimeOptions,
): Promise<void> {
  await writeBtrfs(tree, device, { ...options, ...sizeOptions(subvolumes), uuid, label })
}

/**
 * Subvolumes get no property for compression: that is for the mount option to say, which Linux takes for the
 * whole volume (btrfs(5)). So do we.
 */
function sizeOptions(subvolumes: readonly VolumeSubvolume[]): BtrfsSizeOptions {
  const [compress] = subvolumes.flatMap((subvolume) => compression(subvolume.compress) ?? [])
  return {
    ...(compress && { compress }),
    subvolumes: subvolumes
      .filter(({ name }) => name !== '')
      .map(({ name, uuid }) => ({ path: name, ...(uuid !== undefined && { uuid }) })),
  }
}

/** Of `zstd:1`; nothing where it is left to the kernel (`lzo`) or turned off (`no`). */
function compression(option: string | undefined): BtrfsCompression | undefined {
  const [algorithm, level] = option?.split(':') ?? []
  if (algorithm !== 'zlib' && algorithm !== 'zstd') return undefined
  return level === undefined ? { algorithm } : { algorithm, level: Number(level) }
}
