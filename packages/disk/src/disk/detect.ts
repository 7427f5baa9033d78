import { type ByteSource, FormatError } from '@bootable/bytes'
import { readExt4, readExt4Superblock } from '@bootable/filesystems/ext4'
import { readFat } from '@bootable/filesystems/fat'
import type { FileTree } from '@bootable/tree'

/** A filesystem that was recognised. */
export interface DetectedFilesystem {
  /** In the words of fstab(5): `ext4`, `vfat`, `xfs`, `btrfs`, `swap`. */
  readonly type: string
  /** Empty where there is none, or where this type's superblock is not read here. */
  readonly label: string
  readonly uuid: string
}

/** A way to recognise and read one filesystem type. */
interface Signature {
  readonly type: string
  readonly offset: number
  readonly magic: string
  identify?(source: ByteSource): Promise<Pick<DetectedFilesystem, 'label' | 'uuid'>>
  read?(source: ByteSource): Promise<FileTree>
}

const vfat = {
  type: 'vfat',
  async identify(source: ByteSource) {
    const { label, volumeId } = await readFat(source)
    return { label: label === 'NO NAME' ? '' : label, uuid: volumeId }
  },
  async read(source: ByteSource) {
    return (await readFat(source)).tree()
  },
}

const SIGNATURES: readonly Signature[] = [
  {
    type: 'ext4',
    offset: 0x438,
    magic: '\x53\xef',
    identify: readExt4Superblock,
    read: async (source) => (await readExt4(source)).tree(),
  },
  { type: 'xfs', offset: 0, magic: 'XFSB' },
  { type: 'btrfs', offset: 0x10040, magic: '_BHRfS_M' },
  { type: 'swap', offset: 0xff6, magic: 'SWAPSPACE2' },
  // FAT has no magic of its own; these are the names that every mkfs writes (FAT12, FAT16, FAT32).
  { ...vfat, offset: 0x36, magic: 'FAT' },
  { ...vfat, offset: 0x52, magic: 'FAT32' },
]

/**
 * What a partition holds, by its magic number; `undefined` for something unknown. A filesystem that is
 * damaged behind its magic number is reported without label and uuid.
 */
export async function detectFilesystem(source: ByteSource): Promise<DetectedFilesystem | undefined> {
  const signature = await findSignature(source)
  if (!signature) return undefined
  const { type } = signature
  try {
    const { label, uuid } = (await signature.identify?.(source)) ?? { label: '', uuid: '' }
    return { type, label, uuid }
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    return { type, label: '', uuid: '' }
  }
}

/**
 * The files of a filesystem; contents are read when they are asked for.
 * @throws FormatError; `FORMAT_UNSUPPORTED` for a filesystem that nothing here reads
 */
export async function readFilesystem(source: ByteSource): Promise<FileTree> {
  const signature = await findSignature(source)
  if (signature?.read) return signature.read(source)
  const what = signature ? `a filesystem of type ${signature.type}` : 'no known filesystem'
  const details = { format: signature?.type ?? 'filesystem', structure: 'partition', offset: 0 }
  throw new FormatError('FORMAT_UNSUPPORTED', details, `${what}; ext4 and FAT can be read`)
}

async function findSignature(source: ByteSource): Promise<Signature | undefined> {
  const head = new Uint8Array(Math.min(source.size, 0x10048))
  await source.read(0, head)
  return SIGNATURES.find(({ offset, magic }) =>
    Array.from(magic).every((character, index) => head[offset + index] === character.charCodeAt(0)),
  )
}
