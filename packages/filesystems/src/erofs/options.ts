import type { OperationOptions, Uuid } from '@bootable/bytes'
import { utf8, uuidToBytes } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { erofsError } from './errors.ts'
import {
  EROFS_FEATURE_COMPAT_MTIME,
  EROFS_FEATURE_COMPAT_SB_CHKSUM,
  EROFS_FEATURE_COMPAT_XATTR_FILTER,
} from './format.ts'
import type { ErofsIdentity } from './superblock.ts'

/** What changes the size of an EROFS. */
export interface ErofsSizeOptions {
  /**
   * When the filesystem was made, in seconds since 1970. Inodes of that very time take 32 bytes less.
   * @defaultValue the time of the tree's root
   */
  readonly time?: number
}

/** Options of `writeErofs`. */
export interface WriteErofsOptions extends ErofsSizeOptions, OperationOptions {
  /** The uuid by which the filesystem is found. */
  readonly uuid: Uuid
  /** At most 16 bytes. @defaultValue none */
  readonly label?: string
}

function invalid(option: string, value: unknown, expected: string): never {
  throw erofsError('EROFS_OPTION_INVALID', `${option} ${JSON.stringify(value)}: ${expected}`, {
    details: { option, value },
  })
}

/** The time of the superblock. @throws BootableError `EROFS_OPTION_INVALID` */
export function checkTime(tree: FileTree, { time }: ErofsSizeOptions): number {
  if (time === undefined) return Math.max(tree.root.mtime.seconds, 0)
  if (!Number.isSafeInteger(time) || time < 0) invalid('time', time, 'must be whole seconds since 1970')
  return time
}

/** @throws BootableError `EROFS_OPTION_INVALID` */
export function checkIdentity(
  tree: FileTree,
  options: WriteErofsOptions,
): ErofsIdentity & { uuid: Uint8Array } {
  const label = utf8(options.label ?? '')
  if (label.length > 16)
    invalid('label', options.label, `must have at most 16 bytes, and has ${label.length}`)
  return {
    featureCompat:
      EROFS_FEATURE_COMPAT_SB_CHKSUM | EROFS_FEATURE_COMPAT_MTIME | EROFS_FEATURE_COMPAT_XATTR_FILTER,
    buildTime: checkTime(tree, options),
    uuid: checkUuid(options.uuid),
    label,
  }
}

function checkUuid(uuid: Uuid): Uint8Array {
  try {
    return uuidToBytes(uuid)
  } catch {
    return invalid('uuid', uuid, 'must be a uuid')
  }
}
