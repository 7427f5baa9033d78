import { alignDown, alignUp, BootableError, formatSize, MiB } from '@bootable/bytes'
import type { FatErrorCode, FatType } from './format.ts'
import { ENTRY_SIZE, MAX_CLUSTERS, MIN_CLUSTERS } from './format.ts'

/** Where everything stands in a FAT volume. Sectors are of `sectorSize` bytes. */
export interface FatLayout {
  readonly type: FatType
  readonly sectorSize: number
  readonly sectorsPerCluster: number
  readonly reservedSectors: number
  readonly fats: number
  readonly sectorsPerFat: number
  /** Entries of the fixed root directory; 0 for FAT32, whose root is a chain of clusters. */
  readonly rootEntries: number
  readonly totalSectors: number
  /** Clusters of the data area; their numbers start at 2. */
  readonly clusters: number
  readonly sectorsPerTrack: number
  readonly heads: number
}

/** Options of {@link layoutFat}. */
export interface FatLayoutOptions {
  /** @defaultValue 32 from 512 MiB on, below that what fits, 12 before 16 */
  readonly type?: FatType
  /** Bytes. @defaultValue 512 */
  readonly sectorSize?: 512 | 4096
  /** Entries that the root directory needs. @defaultValue 512, the least there are in FAT12 and FAT16 */
  readonly rootEntries?: number
  /** @defaultValue chosen by size, as mkfs.fat does */
  readonly geometry?: FatGeometry
}

/** What a BIOS of the past called the shape of a disk; firmware of some boards still looks at it. */
export interface FatGeometry {
  /** 1 to 65535. */
  readonly heads: number
  /** 1 to 65535; the volume has whole tracks. */
  readonly sectorsPerTrack: number
}

export const FATS = 2
const ROOT_ENTRIES = 512
/** Up to this many sectors nothing is aligned to clusters. */
const UNALIGNED_SECTORS = 8192
/** BPB_TotSec32 has 32 bits. */
const MAX_SECTORS = 2 ** 32 - 1
/** BPB_SecPerClus has 8 bits and is a power of two. */
const MAX_CLUSTER_SECTORS = 128

/** Offset in bytes of a copy of the file allocation table. */
export function fatOffset(layout: FatLayout, copy = 0): number {
  return (layout.reservedSectors + copy * layout.sectorsPerFat) * layout.sectorSize
}

/** Offset in bytes of the fixed root directory of FAT12 and FAT16. */
export function rootOffset(layout: FatLayout): number {
  return fatOffset(layout, layout.fats)
}

/** Offset in bytes of a cluster. */
export function clusterOffset(layout: FatLayout, cluster: number): number {
  const rootSectors = Math.ceil((layout.rootEntries * ENTRY_SIZE) / layout.sectorSize)
  const dataStart = rootOffset(layout) + rootSectors * layout.sectorSize
  return dataStart + (cluster - 2) * clusterSize(layout)
}

/** Bytes of a cluster. */
export function clusterSize(layout: FatLayout): number {
  return layout.sectorsPerCluster * layout.sectorSize
}

/**
 * The layout that mkfs.fat 4.2 gives a volume of `size` bytes: type, cluster size, alignment and the
 * geometry that nobody uses any more.
 *
 * @throws BootableError `FAT_NO_SPACE`, `FAT_TYPE_IMPOSSIBLE`
 */
export function layoutFat(size: number, options: FatLayoutOptions = {}): FatLayout {
  const layout = findLayout(size, options)
  if (layout) return layout
  const { type } = options
  if (!type) {
    throw new BootableError<FatErrorCode>('FAT_NO_SPACE', `${size} bytes are too few for a FAT volume`, {
      details: { size },
    })
  }
  const [least, most] = [MIN_CLUSTERS[type], MAX_CLUSTERS[type]]
  throw new BootableError<FatErrorCode>(
    'FAT_TYPE_IMPOSSIBLE',
    `${formatSize(size)} cannot be FAT${type}, which has ${least} to ${most} clusters`,
    { details: { size, type, least, most }, hint: 'leave the type open, or change the size' },
  )
}

/**
 * Bytes of the smallest volume whose layout has room for a tree.
 *
 * @param countClusters clusters that the tree takes with a given layout
 * @throws BootableError as {@link layoutFat}, where no size will do
 */
export function fitLayout(options: FatLayoutOptions, countClusters: (layout: FatLayout) => number): number {
  const { type = 12, sectorSize = 512, rootEntries = 0 } = options
  const least = MIN_CLUSTERS[type] * (type === 32 ? 1 : 4) * sectorSize
  const track = (options.geometry?.sectorsPerTrack ?? 16) * sectorSize
  let size = alignUp(least + Math.max(rootEntries, ROOT_ENTRIES) * ENTRY_SIZE, track)
  for (;;) {
    const layout = findLayout(size, options)
    // Past the largest volume there is nothing more to gain: let the error say so.
    if (!layout && size > MAX_CLUSTERS[type] * MAX_CLUSTER_SECTORS * sectorSize) layoutFat(size, options)
    const missing = layout ? countClusters(layout) - layout.clusters : 1
    if (layout && (missing <= 0 || size > MAX_SECTORS * sectorSize)) return size
    size = alignUp(size + missing * (layout?.sectorsPerCluster ?? 1) * sectorSize, track)
  }
}

function findLayout(size: number, options: FatLayoutOptions): FatLayout | undefined {
  const { sectorSize = 512, rootEntries = 0 } = options
  const wanted = options.type ?? (size >= 512 * MiB ? 32 : undefined)
  const available = Math.min(Math.floor(size / sectorSize), MAX_SECTORS)
  const geometry = options.geometry ?? chooseGeometry(available)
  // Whole tracks, on which old MS-DOS and mtools insist.
  const totalSectors = alignDown(available, geometry.sectorsPerTrack)

  const first = wanted === 32 ? fat32ClusterSectors(available) : 4
  for (let sectorsPerCluster = first; sectorsPerCluster <= MAX_CLUSTER_SECTORS; sectorsPerCluster *= 2) {
    const basis = { ...geometry, totalSectors, sectorSize, sectorsPerCluster, fats: FATS }
    for (const type of wanted ? [wanted] : ([12, 16] as const)) {
      const layout = tryLayout(type, basis, rootEntries)
      if (layout.clusters >= MIN_CLUSTERS[type] && layout.clusters <= MAX_CLUSTERS[type]) return layout
    }
  }
  return undefined
}

/** Layout with one cluster size, whose number of clusters is still to be judged. */
function tryLayout(
  type: FatType,
  basis: Omit<FatLayout, 'type' | 'reservedSectors' | 'sectorsPerFat' | 'rootEntries' | 'clusters'>,
  neededRootEntries: number,
): FatLayout {
  const { totalSectors, sectorSize, sectorsPerCluster, fats } = basis
  const unit = totalSectors <= UNALIGNED_SECTORS ? 1 : sectorsPerCluster
  const align = (sectors: number): number => Math.ceil(sectors / unit) * unit

  const reservedSectors = align(type === 32 ? 32 : 1)
  const rootBytes = type === 32 ? 0 : Math.max(neededRootEntries, ROOT_ENTRIES) * ENTRY_SIZE
  const rootSectors = align(Math.ceil(rootBytes / sectorSize))
  const room = totalSectors - reservedSectors - rootSectors

  // A cluster costs its own bytes and `type / 8` of each FAT; two entries of each FAT are no cluster's.
  const entryBytes = type / 8
  const clusterCost = sectorsPerCluster * sectorSize + fats * entryBytes
  const estimate = Math.max(0, Math.floor((room * sectorSize + fats * 2 * entryBytes) / clusterCost))
  const sectorsPerFat = align(Math.ceil(Math.ceil((estimate + 2) * entryBytes) / sectorSize))
  return {
    ...basis,
    type,
    reservedSectors,
    sectorsPerFat,
    rootEntries: (rootSectors * sectorSize) / ENTRY_SIZE,
    // Rounding the FATs up takes room from the data, so the clusters are counted once more.
    clusters: Math.max(0, Math.floor((room - fats * sectorsPerFat) / sectorsPerCluster)),
  }
}

/**
 * Sectors of a cluster as Microsoft's format command chooses them for FAT32 (fatgen103, page 20). The table
 * is one of sizes, made for sectors of 512 bytes; mkfs.fat goes by sectors whatever their size.
 */
function fat32ClusterSectors(sectors: number): number {
  const mebibytes = Math.ceil(sectors / 2048)
  if (mebibytes > 32 * 1024) return 64
  if (mebibytes > 16 * 1024) return 32
  if (mebibytes > 8 * 1024) return 16
  return mebibytes > 260 ? 8 : 1
}

/** Sectors up to which a geometry is used, sectors of a track, heads (SD File System 2.00, table C-2). */
const GEOMETRIES = [
  [4096, 16, 2],
  [32_768, 32, 2],
  [65_536, 32, 4],
  [262_144, 32, 8],
  [524_288, 32, 16],
  [1_032_192, 63, 16],
  [2_064_384, 63, 32],
  [4_128_768, 63, 64],
  [8_257_536, 63, 128],
] as const

function chooseGeometry(sectors: number): FatGeometry {
  for (const [limit, sectorsPerTrack, heads] of GEOMETRIES) {
    if (sectors <= limit) return { sectorsPerTrack, heads }
  }
  return { sectorsPerTrack: 63, heads: 255 }
}
