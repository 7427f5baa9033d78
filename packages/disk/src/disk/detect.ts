import { type ByteSource, FormatError, type OperationOptions, type RuntimeOptions } from '@bootable/bytes'
import { readBtrfs, readBtrfsSuperblock } from '@bootable/filesystems/btrfs'
import { readExt4, readExt4Superblock } from '@bootable/filesystems/ext4'
import { readFat } from '@bootable/filesystems/fat'
import { isSwap, readSwap } from '@bootable/filesystems/swap'
import { readXfs, readXfsSuperblock } from '@bootable/filesystems/xfs'
import type { FileTree } from '@bootable/tree'
import { isLuks, readLuks } from '../luks/index.ts'
import { isPhysicalVolume, readVolumeGroup } from '../lvm/index.ts'

/** What was recognised in a partition or volume: a filesystem, or what holds others. */
export interface DetectedFilesystem {
  /** In the words of blkid(8): `ext4`, `vfat`, `xfs`, `btrfs`, `swap`, `LVM2_member`, `crypto_LUKS`. */
  readonly type: string
  /** Empty where there is none. Of `LVM2_member` the name of the volume group. */
  readonly label: string
  readonly uuid: string
}

type Identity = Pick<DetectedFilesystem, 'label' | 'uuid'>
type ReadOptions = OperationOptions & RuntimeOptions

/** A way to recognise and read one type. */
interface Signature {
  readonly type: string
  matches(head: Uint8Array, source: ByteSource): boolean | Promise<boolean>
  identify(source: ByteSource, options: ReadOptions): Promise<Identity>
  read?(source: ByteSource, options: ReadOptions): Promise<FileTree>
}

const has =
  (offset: number, magic: string) =>
  (head: Uint8Array): boolean =>
    Array.from(magic).every((character, index) => head[offset + index] === character.charCodeAt(0))

const SIGNATURES: readonly Signature[] = [
  {
    type: 'crypto_LUKS',
    matches: (_, source) => isLuks(source),
    identify: readLuks,
  },
  {
    type: 'LVM2_member',
    matches: (_, source) => isPhysicalVolume(source),
    async identify(source) {
      const { name, physicalVolume } = await readVolumeGroup(source)
      return { label: name, uuid: physicalVolume.uuid }
    },
  },
  {
    type: 'ext4',
    matches: has(0x438, '\x53\xef'),
    identify: readExt4Superblock,
    read: async (source) => (await readExt4(source)).tree(),
  },
  {
    type: 'xfs',
    matches: has(0, 'XFSB'),
    identify: readXfsSuperblock,
    read: async (source) => (await readXfs(source)).tree(),
  },
  {
    type: 'btrfs',
    matches: has(0x10040, '_BHRfS_M'),
    identify: readBtrfsSuperblock,
    read: async (source, options) => (await readBtrfs(source, options)).tree(),
  },
  {
    type: 'swap',
    matches: (_, source) => isSwap(source),
    identify: readSwap,
  },
  {
    type: 'vfat',
    // FAT has no magic of its own; these are the names that every mkfs writes (FAT12 and FAT16, FAT32).
    matches: (head) => has(0x36, 'FAT')(head) || has(0x52, 'FAT32')(head),
    async identify(source) {
      const { label, volumeId } = await readFat(source)
      return { label: label === 'NO NAME' ? '' : label, uuid: volumeId }
    },
    read: async (source) => (await readFat(source)).tree(),
  },
]

/**
 * What a partition holds, by its magic number; `undefined` for something unknown. A filesystem that is
 * damaged behind its magic number is reported without label and uuid.
 */
export async function detectFilesystem(
  source: ByteSource,
  options: ReadOptions = {},
): Promise<DetectedFilesystem | undefined> {
  const signature = await findSignature(source)
  if (!signature) return undefined
  const { type } = signature
  try {
    const { label, uuid } = await signature.identify(source, options)
    return { type, label, uuid }
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    return { type, label: '', uuid: '' }
  }
}

/**
 * The files of a filesystem, of a btrfs those of its top level; contents are read when they are asked for.
 * @throws FormatError; `FORMAT_UNSUPPORTED` for a filesystem that nothing here reads
 */
export async function readFilesystem(source: ByteSource, options: ReadOptions = {}): Promise<FileTree> {
  const signature = await findSignature(source)
  if (signature?.read) return signature.read(source, options)
  const what = signature ? `no filesystem, but ${signature.type}` : 'no known filesystem'
  const details = { format: signature?.type ?? 'filesystem', structure: 'partition', offset: 0 }
  throw new FormatError('FORMAT_UNSUPPORTED', details, `${what}; ext4, xfs, btrfs and FAT can be read`)
}

async function findSignature(source: ByteSource): Promise<Signature | undefined> {
  const head = new Uint8Array(Math.min(source.size, 0x10048))
  await source.read(0, head)
  for (const signature of SIGNATURES) if (await signature.matches(head, source)) return signature
  return undefined
}
