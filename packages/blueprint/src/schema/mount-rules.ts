import { labelProblem } from '../labels.ts'
import { DANGEROUS_MOUNT_POINTS } from '../mount-points.ts'
import type { Report } from './uniqueness.ts'

/** A filesystem of a partition table, whichever of the two formats it is written in. */
export interface CheckedFilesystem {
  /** `undefined` for that of the root. */
  readonly type: string | undefined
  readonly mountpoint: string | undefined
  readonly label: string | undefined
  /** It is on a logical volume. */
  readonly isLogical?: boolean
  readonly isEncrypted?: boolean
}

/** The keys under which the two formats have what is checked. */
export interface CheckedKeys {
  readonly type: string
}

/** The rules of one filesystem. */
export function checkFilesystemContent(
  { type, mountpoint, label, isLogical = false, isEncrypted = false }: CheckedFilesystem,
  path: readonly PropertyKey[],
  keys: CheckedKeys,
  report: Report,
): void {
  const at = (key: string, message: string): void => report([...path, key], message)
  if (label !== undefined && type !== undefined) {
    const problem = labelProblem(type, label)
    if (problem !== undefined) at('label', problem)
  }
  if (mountpoint === undefined) return
  checkMountPoint(mountpoint, [...path, 'mountpoint'], report)
  if (mountpoint === '/boot/efi') {
    if (type !== 'vfat') at(keys.type, '/boot/efi must be vfat')
  } else if (mountpoint === '/boot') {
    if (type !== undefined && type !== 'ext4' && type !== 'xfs') at(keys.type, '/boot must be ext4 or xfs')
  } else if (mountpoint === '/' && type === 'vfat') at(keys.type, '/ cannot be vfat')
  if (mountpoint !== '/boot' && mountpoint !== '/boot/efi') return
  if (isLogical) at('mountpoint', `${mountpoint} cannot be on a logical volume`)
  if (isEncrypted) at('mountpoint', `${mountpoint} cannot be encrypted: the boot loader has to read it`)
}

/** Refuses what no system could mount over. */
export function checkMountPoint(mountpoint: string, path: readonly PropertyKey[], report: Report): void {
  const refused = DANGEROUS_MOUNT_POINTS.find(
    (directory) => mountpoint === directory || mountpoint.startsWith(`${directory}/`),
  )
  if (refused !== undefined)
    report(path, `nothing can be mounted at ${mountpoint}: ${refused} is the system's own`)
}

const GUID = /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/

/** What a table of either kind has for the type of a partition. */
export function partitionTypeProblem(table: 'gpt' | 'dos', type: string): string | undefined {
  if (table === 'dos')
    return /^[0-9a-fA-F]{2}$/.test(type) ? undefined : 'must be two hexadecimal digits on a dos table'
  return GUID.test(type) ? undefined : 'must be a GUID on a gpt'
}
