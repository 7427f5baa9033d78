import type { ByteSource, RuntimeOptions, Uuid } from '@bootable/bytes'
import { portableRuntime } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { createChecksumReader } from './checksum-reader.ts'
import { openVolume } from './chunks.ts'
import { btrfsFormatError } from './errors.ts'
import { BTRFS_FS_TREE_OBJECTID } from './format.ts'
import { compressionOfRoot, pathOfRoot, readRoots } from './roots.ts'
import { createBudget } from './scan.ts'
import { type BtrfsSuperblock, readSuperblock } from './superblock.ts'
import { readTree } from './tree-reader.ts'

/** A subvolume or snapshot, seen from the top level. */
export interface BtrfsSubvolume {
  readonly id: number
  readonly path: string
  readonly uuid: Uuid
  readonly readOnly: boolean
  /** Its property `btrfs.compression`: `zlib`, `lzo`, `zstd`, `none` … */
  readonly compress?: string
}

/** A btrfs filesystem opened for reading. */
export interface BtrfsFilesystem extends BtrfsSuperblock {
  /** By number; the top level is not among them. */
  readonly subvolumes: readonly BtrfsSubvolume[]
  /** Number of the subvolume that is mounted when none is named; 5 is the top level. */
  readonly defaultSubvolume: number
  /**
   * All names from the top level on, subvolumes as directories; contents are read, and verified, when they are
   * asked for. A log tree is not replayed: of a filesystem that is not `clean`, the tree is that of the last
   * transaction. The property `btrfs.compression` of a subvolume is left out where it is the subvolume's own:
   * `subvolumes` has it.
   *
   * @throws FormatError
   */
  tree(): Promise<FileTree>
}

/**
 * Opens a btrfs filesystem of one device, data and metadata single or dup. All checksums on the way to a name
 * and of all data are verified; where one copy is damaged, the other is read.
 *
 * @param source byte 0 is the filesystem's; it must stay open as long as the tree's files are read
 * @throws FormatError; `FORMAT_UNSUPPORTED` for several devices, raid, zones, checksums other than crc32c
 */
export async function readBtrfs(
  source: ByteSource,
  { runtime = portableRuntime }: RuntimeOptions = {},
): Promise<BtrfsFilesystem> {
  const details = await readSuperblock(source)
  const { fsid, root, chunkRoot, systemChunks, ...facts } = details
  if (details.size > source.size) {
    const message = `it has ${details.size} bytes, only ${source.size} are there`
    throw btrfsFormatError('FORMAT_TRUNCATED', 'filesystem', message)
  }
  const budget = createBudget()
  const volume = await openVolume(source, details, budget)
  const roots = await readRoots(volume, budget)
  const subvolumes: BtrfsSubvolume[] = []
  for (const file of roots.files.values()) {
    if (file.id === BTRFS_FS_TREE_OBJECTID) continue
    const path = await pathOfRoot(volume, roots, file.id)
    if (path === undefined) continue
    const { id, uuid, readOnly } = file
    const compress = await compressionOfRoot(volume, file)
    subvolumes.push({ id, path, uuid, readOnly, ...(compress !== undefined && { compress }) })
  }
  const checksums = createChecksumReader(volume, roots.checksums)
  const { defaultSubvolume } = roots
  const tree = (): Promise<FileTree> => readTree({ volume, checksums, runtime }, roots)
  return { ...facts, subvolumes, defaultSubvolume, tree }
}
