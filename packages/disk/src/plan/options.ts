import type { FilesystemCustomization } from '@bootable/blueprint'
import { isAllowedMountPoint } from '@bootable/blueprint/rules'
import { BootableError, formatSize, parseSize } from '@bootable/bytes'
import type { InstalledSystem } from '@bootable/system'
import { type DiskErrorCode, type DiskProblem, problemsError } from '../errors.ts'
import { ENTRY_COUNT } from '../gpt/format.ts'
import { baseTable, extraEntry, type TableEntry } from './base-table.ts'

/** The filesystems that a root may have. */
export type RootFilesystem = 'ext4'

/** Bytes of a disk's logical sector, by which its partition table counts. */
export type SectorSize = 512 | 4096

/** Options of {@link planMounts} and {@link planDisk}; both are given the same. */
export interface PlanDiskOptions {
  /** All uuids follow from it. */
  readonly seed: string
  /** Filesystem of `/`, `/boot` and extra mount points. @defaultValue `ext4` */
  readonly rootfs?: RootFilesystem
  /**
   * Bytes of the disk, or a text such as `20 GiB`, exactly; `minimum` for the smallest that holds the
   * system with a little room.
   * @defaultValue 10 GiB, or more where the image needs it
   */
  readonly size?: number | string
  /** Least sizes of filesystems, and additional ones, in the words of a blueprint. */
  readonly filesystems?: readonly FilesystemCustomization[]
  /** Bytes of a logical sector. From 4096 machines start by UEFI alone. @defaultValue 512 */
  readonly sectorSize?: SectorSize
}

/** The part of an installed system that a plan depends on. */
export type PlannedSystem = Pick<
  InstalledSystem,
  'architecture' | 'layout' | 'sysroot' | 'deployment' | 'imageSize' | 'bootCode'
>

/** Options that have been checked, with the partitions that they come to. */
export interface CheckedOptions {
  readonly seed: string
  readonly rootfs: RootFilesystem
  readonly sectorSize: number
  /** In the order on the disk: the root last. */
  readonly entries: readonly TableEntry[]
  readonly size: number | 'minimum' | 'default'
  /** Bytes asked for by mount point. */
  readonly minimumSizes: ReadonlyMap<string, number>
}

const ROOT_FILESYSTEMS: readonly string[] = ['ext4'] satisfies RootFilesystem[]

/** @throws BootableError `DISK_OPTIONS_INVALID` with every problem there is */
export function checkOptions(
  system: Pick<PlannedSystem, 'architecture'>,
  options: PlanDiskOptions,
): CheckedOptions {
  const { seed, rootfs = 'ext4', sectorSize = 512, filesystems = [] } = options
  const problems: DiskProblem[] = []
  const report = (option: string, message: string): void => {
    problems.push({ option, message })
  }

  if (!ROOT_FILESYSTEMS.includes(rootfs)) {
    report('rootfs', `"${rootfs}" cannot be written; possible: ${ROOT_FILESYSTEMS.join(', ')}`)
  }
  if (sectorSize !== 512 && sectorSize !== 4096)
    report('sectorSize', `${sectorSize}; 512 and 4096 are possible`)
  const size = checkSize(options.size, sectorSize, report)
  const minimumSizes = checkFilesystems(filesystems, rootfs, report)

  const table = baseTable(system.architecture, sectorSize)
  const known = new Set(table.map(({ filesystem }) => filesystem?.path))
  const extra = [...minimumSizes.keys()].filter((path) => !known.has(path)).map(extraEntry)
  const entries = [...table.slice(0, -1), ...extra, ...table.slice(-1)]
  if (entries.length > ENTRY_COUNT) {
    report('filesystems', `${entries.length} partitions; a partition table has ${ENTRY_COUNT}`)
  }
  if (problems.length > 0) throw problemsError(problems)
  return { seed, rootfs, sectorSize, entries, size, minimumSizes }
}

type Report = (option: string, message: string) => void

function checkSize(
  given: number | string | undefined,
  sectorSize: number,
  report: Report,
): CheckedOptions['size'] {
  if (given === undefined) return 'default'
  if (given === 'minimum') return given
  try {
    const size = parseSize(given)
    if (size % sectorSize === 0) return size
    report('size', `${size} bytes are not whole sectors of ${sectorSize} bytes`)
  } catch (error) {
    if (!BootableError.is(error)) throw error
    report('size', error.message)
  }
  return 'default'
}

function checkFilesystems(
  filesystems: readonly FilesystemCustomization[],
  rootfs: string,
  report: Report,
): Map<string, number> {
  const sizes = new Map<string, number>()
  for (const [index, { mountpoint, minsize }] of filesystems.entries()) {
    const option = `filesystems[${index}]`
    if (!isCanonical(mountpoint))
      report(option, `"${mountpoint}" is not an absolute path in its shortest form`)
    else if (!isAllowedMountPoint(mountpoint, rootfs)) {
      report(option, `${mountpoint} may not be a filesystem of its own; /, /boot and paths below /var may`)
    } else if (sizes.has(mountpoint)) report(option, `${mountpoint} is there twice`)
    if (!Number.isSafeInteger(minsize) || minsize < 0)
      report(option, `minsize ${minsize} is no number of bytes`)
    sizes.set(mountpoint, minsize)
  }
  return sizes
}

function isCanonical(path: string): boolean {
  const names = path.split('/').slice(1)
  return path === '/' || (path.startsWith('/') && names.every((name) => !['', '.', '..'].includes(name)))
}

/** @param needed bytes of the smallest disk that would do */
export function tooSmall(asked: number, needed: number): BootableError<DiskErrorCode> {
  return new BootableError<DiskErrorCode>(
    'DISK_TOO_SMALL',
    `the disk needs ${needed} bytes (${formatSize(needed)}), ${asked} bytes (${formatSize(asked)}) were asked for`,
    { details: { asked, needed }, hint: `ask for ${formatSize(needed)} or more, or for the size "minimum"` },
  )
}
