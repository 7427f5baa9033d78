import { BootableError } from '@bootable/bytes'
import type { CoreErrorCode } from './errors.ts'

/** The formats in which a disk can lie in a file. */
export type DiskFormat = 'raw' | 'qcow2' | 'vmdk' | 'vhd' | 'vhdx' | 'gce' | 'ova'

/** How a whole file is compressed, by the ending that its name gets. */
export type FileCompression = 'gz' | 'zst'

/** A disk artifact by the name that `--type` takes. Those with an ending are compressed as a whole. */
export type OutputType = DiskFormat | 'ami' | `${'raw' | 'vhd' | 'vhdx'}.${FileCompression}`

/** An image that carries a disk, by the name that `--type` takes. */
export type ImageOutputType = 'containerdisk' | 'artifact'

/** Where an artifact lies below the output folder, as bootc-image-builder lays it out. */
export interface OutputTypeInfo {
  readonly type: OutputType
  readonly format: DiskFormat
  /** Compression of the file as a whole. */
  readonly compression?: FileCompression
  /** Types that share a folder and a file are the same bytes: `raw` and `ami`. */
  readonly folder: string
  /** What its file is called when it is the first type of a run; see {@link outputFileName}. */
  readonly file: string
  readonly description: string
}

const FORMATS: readonly OutputTypeInfo[] = [
  {
    type: 'qcow2',
    format: 'qcow2',
    folder: 'qcow2',
    file: 'disk.qcow2',
    description: 'QEMU, libvirt, OpenStack (compressed)',
  },
  {
    type: 'raw',
    format: 'raw',
    folder: 'image',
    file: 'disk.raw',
    description: 'the bytes of the disk, sparse',
  },
  {
    type: 'ami',
    format: 'raw',
    folder: 'image',
    file: 'disk.raw',
    description: 'Amazon EC2: the same bytes as raw',
  },
  {
    type: 'vmdk',
    format: 'vmdk',
    folder: 'vmdk',
    file: 'disk.vmdk',
    description: 'VMware (streamOptimized, compressed)',
  },
  {
    type: 'ova',
    format: 'ova',
    folder: 'archive',
    file: 'image.ova',
    description: 'VMware, VirtualBox: appliance',
  },
  { type: 'vhd', format: 'vhd', folder: 'vpc', file: 'disk.vhd', description: 'Azure, Hyper-V (fixed)' },
  { type: 'vhdx', format: 'vhdx', folder: 'vhdx', file: 'disk.vhdx', description: 'Hyper-V (dynamic)' },
  {
    type: 'gce',
    format: 'gce',
    folder: 'gce',
    file: 'image.tar.gz',
    description: 'Google Compute Engine (compressed)',
  },
]

/** The formats that are not compressed in themselves. */
const COMPRESSIBLE: readonly OutputType[] = ['raw', 'vhd', 'vhdx']

const COMPRESSIONS = { gz: 'gzip', zst: 'zstd' } as const satisfies Record<FileCompression, string>

export const OUTPUT_TYPES: readonly OutputTypeInfo[] = [
  ...FORMATS,
  ...FORMATS.filter(({ type }) => COMPRESSIBLE.includes(type)).flatMap((info) =>
    (Object.keys(COMPRESSIONS) as FileCompression[]).map(
      (compression): OutputTypeInfo => ({
        ...info,
        type: `${info.format as 'raw' | 'vhd' | 'vhdx'}.${compression}`,
        compression,
        file: `${info.file}.${compression}`,
        description: `${info.format}, compressed with ${COMPRESSIONS[compression]}`,
      }),
    ),
  ),
]

/** Images that carry a disk: their names, and what they are. */
export const IMAGE_OUTPUT_TYPES: Readonly<Record<ImageOutputType, string>> = {
  containerdisk: 'KubeVirt: an image whose one layer holds the disk as qcow2',
  artifact: 'an OCI artifact with the files of the run as its layers, or with a qcow2',
}

/** Other names that people know. */
const ALIASES: Readonly<Record<string, OutputType>> = { 'vsphere-ova': 'ova' }

/** Types of bootc-image-builder that are no disks, and what to do. */
const REFUSED: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['iso', 'anaconda-iso', 'bootc-installer', 'bootc-generic-iso', 'pxe-tar-xz'].map((name) => [
      name,
      'installers and network boot files are not made here, only disks',
    ]),
  ),
  oci: 'for Oracle Cloud import a qcow2; for an image in a registry take containerdisk or artifact',
  azure: 'Azure takes a vhd',
}

/** @throws BootableError `OUTPUT_TYPE_UNKNOWN` */
export function findOutputType(name: string): OutputTypeInfo {
  const wanted = Object.hasOwn(ALIASES, name) ? ALIASES[name] : name
  const info = OUTPUT_TYPES.find(({ type }) => type === wanted)
  if (info) return info
  const known = [...OUTPUT_TYPES.map(({ type }) => type), ...Object.keys(IMAGE_OUTPUT_TYPES)]
  throw new BootableError<CoreErrorCode>('OUTPUT_TYPE_UNKNOWN', `there is no output type "${name}"`, {
    details: { type: name, known },
    hint: explain(name) ?? `types: ${known.join(', ')}`,
  })
}

function explain(name: string): string | undefined {
  if (Object.hasOwn(REFUSED, name)) return REFUSED[name]
  if (name.includes(',')) return 'one type at a time: --type may be given several times'
  const [, type, ending] = /^(.+)\.(gz|zst)$/.exec(name) ?? []
  if (type === undefined || !FORMATS.some((info) => info.type === type)) return undefined
  if (type === 'ami') return `take raw.${ending}, which is the same`
  return `${type} is compressed as it is; possible are ${COMPRESSIBLE.map((each) => `${each}.${ending}`).join(', ')}`
}

export function isImageOutputType(name: string): name is ImageOutputType {
  return Object.hasOwn(IMAGE_OUTPUT_TYPES, name)
}

/**
 * The file name of a type among others: bootc-image-builder calls all files of a run by the first type's name
 * up to its first dot, so `disk`, but `image` where gce or ova comes first.
 */
export function outputFileName(info: OutputTypeInfo, first: OutputTypeInfo): string {
  return `${baseName(first)}${info.file.slice(baseName(info).length)}`
}

/** The name of a type's file up to the first dot. */
export function baseName({ file }: Pick<OutputTypeInfo, 'file'>): string {
  return file.slice(0, file.indexOf('.'))
}
