import { BootableError } from '@bootable/bytes'

/** The cases in which planning or writing a disk fails. */
export type DiskErrorCode =
  /** One or more options cannot be met; `details.problems` lists all of them. */
  | 'DISK_OPTIONS_INVALID'
  /** `details.needed` and `details.asked`, in bytes. */
  | 'DISK_TOO_SMALL'
  /** The path of a mount point leads over something that is not a directory. */
  | 'MOUNT_POINT_NOT_DIRECTORY'
  /** A partition is to hold a file that the image does not have; `details.path`. */
  | 'RAW_FILE_MISSING'
  | 'PARTITION_TABLE_INVALID'
  /** The device has fewer bytes than the plan. */
  | 'DEVICE_TOO_SMALL'
  /** Code for a BIOS, and the disk has no place for it or sectors that no BIOS code knows. */
  | 'BOOT_CODE_WITHOUT_PLACE'
  /** `details.size` and `details.limit`, in bytes. */
  | 'BOOT_CODE_TOO_LARGE'
  /** A filesystem of a type that nothing here writes. */
  | 'FILESYSTEM_UNSUPPORTED'
  /** No passphrase was given for an encrypted volume; `details.volumes` lists their uuids. */
  | 'SECRET_MISSING'
  /** No partition of a disk holds a root filesystem. */
  | 'DISK_WITHOUT_ROOT'

/** One reason why a disk cannot be planned as asked. */
export interface DiskProblem {
  /** The option in question, such as `rootfs` or `disk.partitions[1].mountpoint`. */
  readonly option: string
  readonly message: string
}

/** All problems in one error, so that they can be mended in one go. */
export function problemsError(problems: readonly DiskProblem[]): BootableError<DiskErrorCode> {
  const lines = problems.map(({ option, message }) => `${option}: ${message}`)
  return new BootableError('DISK_OPTIONS_INVALID', lines.join('\n'), { details: { problems } })
}

/** Problems as they are found, to be told in one go. */
export interface Problems {
  report(option: string, message: string): void
  /** @throws BootableError `DISK_OPTIONS_INVALID` with all of them, if there are any */
  throwAny(): void
}

/** An empty list of problems. */
export function problemList(): Problems {
  const problems: DiskProblem[] = []
  return {
    report(option, message) {
      problems.push({ option, message })
    },
    throwAny() {
      if (problems.length > 0) throw problemsError(problems)
    },
  }
}
