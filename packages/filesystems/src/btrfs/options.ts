import type { OperationOptions, RuntimeOptions, Uuid } from '@bootable/bytes'
import { seededUuid, utf8, uuidFromBytes, uuidToBytes } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { btrfsError } from './errors.ts'
import { BTRFS_COMPRESS_NONE, BTRFS_COMPRESS_ZLIB, BTRFS_COMPRESS_ZSTD } from './format.ts'

/** Bytes of a sector: the smallest that data is allocated and checksummed in. */
export const SECTOR_SIZE = 4096
/** Bytes of a tree block, as mkfs.btrfs chooses. */
export const NODE_SIZE = 16_384

/** How the data of files is compressed. */
export interface BtrfsCompression {
  readonly algorithm: 'zlib' | 'zstd'
  /** zlib: 1 to 9; zstd: 1 to 15, as the kernel takes them. @defaultValue 3 */
  readonly level?: number
}

/** A directory of the tree that becomes a subvolume. */
export interface BtrfsSubvolumeOptions {
  /** Of the directory, in the tree that is written. One subvolume may lie in another. */
  readonly path: string
  /** Nothing in it can be changed until `btrfs property set … ro false`. @defaultValue false */
  readonly readOnly?: boolean
  /**
   * The property `btrfs.compression` of the subvolume's directories, which files made later inherit, and
   * how its files are compressed now.
   * @defaultValue no property; files are compressed as `compress` of the whole says
   */
  readonly compress?: 'zlib' | 'zstd' | 'none'
  /** @defaultValue derived from the filesystem's uuid and the path */
  readonly uuid?: Uuid
  /** Mounted where a mount names no subvolume. At most one is. @defaultValue the top level is */
  readonly default?: boolean
}

/** What decides how much room a filesystem needs. Everything else changes no size. */
export interface BtrfsSizeOptions {
  readonly subvolumes?: readonly BtrfsSubvolumeOptions[]
  /** @defaultValue files are not compressed */
  readonly compress?: BtrfsCompression
  /** Bytes of a sector. Kernels mount 4096 everywhere, and others only where pages are as large. @defaultValue 4096 */
  readonly sectorSize?: number
}

/** Options of `writeBtrfs`. */
export interface WriteBtrfsOptions extends BtrfsSizeOptions, OperationOptions, RuntimeOptions {
  /** The uuid by which the filesystem is found. */
  readonly uuid: Uuid
  /** At most 255 bytes. @defaultValue none */
  readonly label?: string
  /** When the filesystem was made, in seconds since 1970. @defaultValue the time of the tree's root */
  readonly time?: number
}

/** A compression as the writer uses it. */
export interface Codec {
  /** `btrfs_file_extent_item.compression`. */
  readonly type: number
  readonly level: number
}

/** A subvolume that was asked for, checked. */
export interface SubvolumeRequest {
  readonly id: number
  readonly path: string
  readonly readOnly: boolean
  /** Value of the property `btrfs.compression`. */
  readonly property: 'zlib' | 'zstd' | 'none' | undefined
  /** `undefined` for files that stay as they are. */
  readonly codec: Codec | undefined
  readonly uuid: Uuid | undefined
}

/** Size options, checked. */
export interface BtrfsRequests {
  /** In the order of the options; the first one that lies in the tree may have any number. */
  readonly subvolumes: readonly SubvolumeRequest[]
  /** Of files outside all subvolumes. */
  readonly codec: Codec | undefined
  /** Number of the subvolume that is mounted by default. */
  readonly defaultSubvolume: number
}

/** Everything that stands in the superblock and in the root items, as bytes. */
export interface BtrfsIdentity {
  readonly uuid: Uint8Array
  readonly label: Uint8Array
  readonly time: number
  readonly deviceUuid: Uint8Array
  readonly chunkTreeUuid: Uint8Array
  /** Uuid of a tree of files by its number. */
  readonly rootUuids: ReadonlyMap<number, Uint8Array>
}

const TYPES = { none: BTRFS_COMPRESS_NONE, zlib: BTRFS_COMPRESS_ZLIB, zstd: BTRFS_COMPRESS_ZSTD } as const
const DEFAULT_LEVEL = 3
const MAX_LEVELS = { zlib: 9, zstd: 15 } as const
/** Longest label (`BTRFS_LABEL_SIZE` less its zero). */
const MAX_LABEL = 255
const TOP_LEVEL = 5
const FIRST_SUBVOLUME = 256

function invalid(option: string, value: unknown, expected: string): never {
  throw btrfsError('BTRFS_OPTION_INVALID', `${option} ${JSON.stringify(value)}: ${expected}`, {
    details: { option, value },
  })
}

/** @throws BootableError `BTRFS_OPTION_INVALID`, `BTRFS_SUBVOLUME_INVALID` */
export function checkRequests({ subvolumes = [], compress, sectorSize }: BtrfsSizeOptions): BtrfsRequests {
  if (sectorSize !== undefined && sectorSize !== SECTOR_SIZE) {
    invalid('sectorSize', sectorSize, `must be ${SECTOR_SIZE}`)
  }
  const { algorithm, level = DEFAULT_LEVEL } = compress ?? {}
  if (algorithm !== undefined) {
    const highest = algorithm in MAX_LEVELS ? MAX_LEVELS[algorithm] : undefined
    if (highest === undefined) invalid('compress.algorithm', algorithm, 'must be zlib or zstd')
    if (!(Number.isInteger(level) && level >= 1 && level <= highest)) {
      invalid('compress.level', level, `must be 1 to ${highest} for ${algorithm}`)
    }
  }
  const codec = algorithm && { type: TYPES[algorithm], level }
  const paths = new Set<string>()
  const requests = subvolumes.map((subvolume, index): SubvolumeRequest => {
    const { readOnly = false, compress: property, uuid } = subvolume
    const path = subvolume.path.split('/').filter(Boolean).join('/')
    if (path === '') subvolumeError(subvolume.path, 'the top level is a subvolume already')
    if (paths.has(path)) subvolumeError(path, 'is asked for twice as a subvolume')
    paths.add(path)
    if (property !== undefined && !(property in TYPES)) {
      invalid(`compress of ${path}`, property, 'must be zlib, zstd or none')
    }
    return { id: FIRST_SUBVOLUME + index, path, readOnly, property, codec: codecOf(property), uuid }
  })
  const defaults = subvolumes.flatMap((subvolume, index) => (subvolume.default ? [index] : []))
  if (defaults.length > 1) {
    const names = defaults.map((index) => requests[index]?.path)
    invalid('subvolumes', names, 'only one can be the default')
  }
  const [index] = defaults
  return {
    subvolumes: requests,
    codec,
    defaultSubvolume: index === undefined ? TOP_LEVEL : FIRST_SUBVOLUME + index,
  }

  function codecOf(property: keyof typeof TYPES | undefined): Codec | undefined {
    if (property === undefined) return codec
    if (property === 'none') return undefined
    return { type: TYPES[property], level: property === algorithm ? level : DEFAULT_LEVEL }
  }
}

/** An error about one subvolume. */
export function subvolumeError(path: string, message: string): never {
  throw btrfsError('BTRFS_SUBVOLUME_INVALID', `/${path}: ${message}`, { details: { path } })
}

/** @throws BootableError `BTRFS_OPTION_INVALID` */
export function checkIdentity(
  tree: FileTree,
  options: WriteBtrfsOptions,
  { subvolumes }: BtrfsRequests,
): BtrfsIdentity {
  const { label = '' } = options
  const time = options.time ?? Math.max(tree.root.mtime.seconds, 0)
  if (!Number.isSafeInteger(time) || time < 0) invalid('time', time, 'must be whole seconds since 1970')
  const labelBytes = utf8(label)
  if (labelBytes.length > MAX_LABEL) {
    invalid('label', label, `must have at most ${MAX_LABEL} bytes, and has ${labelBytes.length}`)
  }
  if (/[\0\n]/.test(label)) invalid('label', label, 'must be one line')
  const uuid = toBytes('uuid', options.uuid)
  const seed = options.uuid.toLowerCase()
  const derive = (purpose: string): Uint8Array => uuidToBytes(seededUuid(seed, purpose))
  const rootUuids = new Map([[TOP_LEVEL, derive('btrfs top level')]])
  for (const { id, path, uuid: own } of subvolumes) {
    rootUuids.set(id, own === undefined ? derive(`btrfs subvolume ${path}`) : toBytes(`uuid of ${path}`, own))
  }
  const all = [...rootUuids.values()].map(uuidFromBytes)
  const twice = all.find((each, index) => all.indexOf(each) !== index)
  if (twice !== undefined) invalid('subvolumes', twice, 'only one subvolume can have a uuid')
  return {
    uuid,
    label: labelBytes,
    time,
    deviceUuid: derive('btrfs device'),
    chunkTreeUuid: derive('btrfs chunk tree'),
    rootUuids,
  }
}

function toBytes(option: string, uuid: Uuid): Uint8Array {
  try {
    return uuidToBytes(uuid)
  } catch {
    return invalid(option, uuid, 'must be a uuid')
  }
}
