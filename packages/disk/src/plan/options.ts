import type { DiskCustomization, EmbeddedPartitionTable, FilesystemCustomization } from '@bootable/blueprint'
import { BootableError, formatSize, parseSize } from '@bootable/bytes'
import type { InstalledSystem } from '@bootable/system'
import { type DiskErrorCode, type Problems, problemList } from '../errors.ts'
import { baseTable, type TableContext } from './base-table.ts'
import { checkTable } from './check-table.ts'
import { customizedTable } from './customized-table.ts'
import { embeddedTable } from './embedded-table.ts'
import { identifyTable } from './identity.ts'
import { checkFilesystems, requestFilesystems } from './requests.ts'
import type { DiskTable } from './table.ts'

/** The filesystems that a root may have. */
export type RootFilesystem = 'ext4' | 'xfs' | 'btrfs'

/** Bytes of a disk's logical sector, by which its partition table counts. */
export type SectorSize = 512 | 4096

/** Options of {@link planMounts} and {@link planDisk}; both are given the same. */
export interface PlanDiskOptions {
  /** All uuids follow from it. */
  readonly seed: string
  /**
   * Filesystem of `/`, and of whatever is asked for without a type. On btrfs the root is a subvolume, and
   * `/boot` an ext4.
   * @defaultValue `ext4`
   */
  readonly rootfs?: RootFilesystem
  /**
   * Bytes of the disk, or a text such as `20 GiB`, exactly; `minimum` for the smallest that holds the
   * system with a little room.
   * @defaultValue what the table says (10 GiB where it says nothing), or more where the image needs it
   */
  readonly size?: number | string
  /** A blueprint's `customizations.disk`: a table in place of the standard one. */
  readonly disk?: DiskCustomization
  /**
   * `partition_table` of the image's `disk.yaml`: in place of the standard one, where `disk` is not given.
   * Its `policy` counts for both.
   */
  readonly partitionTable?: EmbeddedPartitionTable
  /**
   * A blueprint's `customizations.filesystem`: least sizes of filesystems of the table, and additional ones.
   * Not together with `disk`.
   */
  readonly filesystems?: readonly FilesystemCustomization[]
  /**
   * Bytes of a logical sector. From 4096 machines start by UEFI alone.
   * @defaultValue what the table says, else 512
   */
  readonly sectorSize?: SectorSize
}

/** The part of an installed system that a plan depends on. */
export type PlannedSystem = Pick<
  InstalledSystem,
  'architecture' | 'layout' | 'sysroot' | 'deployment' | 'imageSize' | 'bootCode'
> &
  Partial<Pick<InstalledSystem, 'root' | 'kernel'>>

/** What is known of a system before it is complete. */
export type OutlinedSystem = Pick<PlannedSystem, 'architecture' | 'layout' | 'kernel'>

/** Options that have been checked, as the one table that they come to. */
export interface PlanRequest {
  readonly seed: string
  /** With every identity. */
  readonly table: DiskTable
  readonly size: number | 'minimum' | 'default'
}

const ROOT_FILESYSTEMS: readonly string[] = ['ext4', 'xfs', 'btrfs'] satisfies RootFilesystem[]

/** @throws BootableError `DISK_OPTIONS_INVALID` with every problem there is */
export function checkOptions(system: OutlinedSystem, options: PlanDiskOptions): PlanRequest {
  const { seed, rootfs = 'ext4', filesystems = [], disk, partitionTable } = options
  const problems = problemList()
  if (!ROOT_FILESYSTEMS.includes(rootfs)) {
    problems.report('rootfs', `"${rootfs}" cannot be written; possible: ${ROOT_FILESYSTEMS.join(', ')}`)
  }
  const sectorSize = checkSectorSize(options, problems)
  const size = checkSize(options.size, sectorSize, problems)
  const { architecture, layout, kernel } = system
  const isUnified = kernel?.uki !== undefined
  const context: TableContext = { architecture, layout, rootfs, sectorSize, isUnified }

  let table: DiskTable
  if (disk) table = customizedTable(disk, context, partitionTable?.policy)
  else table = partitionTable ? embeddedTable(partitionTable, context) : baseTable(context)
  if (disk && filesystems.length > 0) {
    problems.report('filesystems', 'cannot be there together with a table of its own (disk)')
  }
  const requests = checkFilesystems(filesystems, rootfs, problems)
  if (!disk) table = requestFilesystems(table, requests, context)
  checkTable(table, context, problems)
  problems.throwAny()
  return { seed, table: identifyTable(table, seed), size }
}

/** Two that say different things are a mistake: nobody could follow both. */
function checkSectorSize(options: PlanDiskOptions, problems: Problems): SectorSize {
  const { sectorSize, disk, partitionTable } = options
  const named = disk
    ? { key: 'disk.sector_size', value: disk.sector_size }
    : { key: 'partition_table.sector_size', value: partitionTable?.sector_size }
  for (const [key, value] of [['sectorSize', sectorSize] as const, [named.key, named.value] as const]) {
    if (value === undefined || value === 512 || value === 4096) continue
    problems.report(key, `${value}; 512 and 4096 are possible`)
  }
  if (sectorSize !== undefined && named.value !== undefined && sectorSize !== named.value) {
    problems.report('sectorSize', `${sectorSize}, but ${named.key} says ${named.value}`)
  }
  return (sectorSize ?? named.value) === 4096 ? 4096 : 512
}

function checkSize(
  given: number | string | undefined,
  sectorSize: number,
  problems: Problems,
): PlanRequest['size'] {
  if (given === undefined) return 'default'
  if (given === 'minimum') return given
  try {
    const size = parseSize(given)
    if (size % sectorSize === 0) return size
    problems.report('size', `${size} bytes are not whole sectors of ${sectorSize} bytes`)
  } catch (error) {
    if (!BootableError.is(error)) throw error
    problems.report('size', error.message)
  }
  return 'default'
}

/** @param needed bytes of the smallest disk that would do */
export function tooSmall(asked: number, needed: number): BootableError<DiskErrorCode> {
  return new BootableError<DiskErrorCode>(
    'DISK_TOO_SMALL',
    `the disk needs ${needed} bytes (${formatSize(needed)}), ${asked} bytes (${formatSize(asked)}) were asked for`,
    { details: { asked, needed }, hint: `ask for ${formatSize(needed)} or more, or for the size "minimum"` },
  )
}
