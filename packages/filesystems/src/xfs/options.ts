import type { OperationOptions, Uuid } from '@bootable/bytes'
import { utf8, uuidToBytes } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { xfsError } from './errors.ts'

/** What decides how much room a filesystem needs. Everything else changes no size. */
export interface XfsSizeOptions {
  /** Bytes of a sector of the device: 512 or 4096. @defaultValue 512 */
  readonly sectorSize?: 512 | 4096
  /**
   * Allocation groups, at least 2. Each must have room for the log.
   * @defaultValue as mkfs.xfs: 4, from 4 TiB on as many as groups of 1 TiB make
   */
  readonly agCount?: number
}

/** Options of `writeXfs`. */
export interface WriteXfsOptions extends XfsSizeOptions, OperationOptions {
  /** The uuid by which the filesystem is found. */
  readonly uuid: Uuid
  /** At most 12 bytes. @defaultValue none */
  readonly label?: string
  /**
   * When the filesystem was made, in seconds since 1970: the time of the inodes that no tree has.
   * @defaultValue the time of the tree's root
   */
  readonly time?: number
}

/** Size options, checked and complete but for what depends on the device. */
export interface XfsSizes {
  readonly sectorSize: number
  readonly agCount: number | undefined
}

/** Everything besides that stands in the superblock. */
export interface XfsIdentity {
  readonly uuid: Uint8Array
  readonly label: Uint8Array
  readonly time: number
}

function invalid(option: string, value: unknown, expected: string): never {
  throw xfsError('XFS_OPTION_INVALID', `${option} ${JSON.stringify(value)}: ${expected}`, {
    details: { option, value },
  })
}

/** @throws BootableError `XFS_OPTION_INVALID` */
export function checkSizes({ sectorSize = 512, agCount }: XfsSizeOptions): XfsSizes {
  if (sectorSize !== 512 && sectorSize !== 4096) invalid('sectorSize', sectorSize, 'must be 512 or 4096')
  if (agCount !== undefined && !(Number.isInteger(agCount) && agCount >= 2 && agCount < 2 ** 32)) {
    invalid('agCount', agCount, 'must be a whole number from 2')
  }
  return { sectorSize, agCount }
}

/** @throws BootableError `XFS_OPTION_INVALID` */
export function checkIdentity(tree: FileTree, options: WriteXfsOptions): XfsIdentity {
  const { label = '', time = tree.root.mtime.seconds } = options
  if (!Number.isSafeInteger(time)) invalid('time', time, 'must be whole seconds since 1970')
  const labelBytes = utf8(label)
  if (labelBytes.length > 12)
    invalid('label', label, `must have at most 12 bytes, and has ${labelBytes.length}`)
  return { uuid: uuidBytes(options.uuid), label: labelBytes, time }
}

function uuidBytes(uuid: Uuid): Uint8Array {
  try {
    return uuidToBytes(uuid)
  } catch {
    return invalid('uuid', uuid, 'must be a uuid')
  }
}
