import { alignUp, GiB, MiB } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { driverOf } from '../disk/drivers.ts'
import { GRAIN } from '../gpt/layout.ts'
import type { TableEntry } from './base-table.ts'
import type { CheckedOptions, PlannedSystem } from './options.ts'

/** What bootc-image-builder makes a disk when nobody says otherwise. */
export const DEFAULT_DISK_SIZE = 10 * GiB

/** What a blueprint asks for is raised to these. */
const LEAST_REQUEST = GiB
const LEAST_BOOT_REQUEST = 500 * MiB

/**
 * Room that a filesystem of a minimal disk has beyond its content: a machine writes host keys, a machine
 * id, logs and a random seed at its first start, and its boot loader rewrites its entries.
 */
function withRoom(content: number): number {
  return content + Math.max(16 * MiB, Math.ceil(content / 16))
}

/**
 * Bytes that a partition has at least. All but the root have exactly these.
 *
 * * no size given: sizes of the base table, raised to what the blueprint asks for; the root has twice the
 *   image's size and 3 GiB at least, as bootc-image-builder has it
 * * an exact size: the same, but the root needs no more than its content and what the blueprint asks for
 * * the minimum: content and a little room, and what the blueprint asks for
 */
export function leastSize(
  { filesystem, size }: TableEntry,
  trees: ReadonlyMap<string, FileTree>,
  system: Pick<PlannedSystem, 'imageSize'>,
  options: CheckedOptions,
): number {
  if (!filesystem) return size
  const { path } = filesystem
  const tree = trees.get(path) as FileTree
  const type = filesystem.type === 'root' ? options.rootfs : filesystem.type
  const content = driverOf(type).measure(tree, { label: filesystem.label, sectorSize: options.sectorSize })
  const sizes = [content, requestedSize(path, options)]
  if (options.size === 'minimum') sizes.push(withRoom(content))
  else if (path !== '/') sizes.push(size)
  else if (options.size === 'default') sizes.push(size, 2 * (system.imageSize ?? 0))
  return alignUp(Math.max(...sizes), GRAIN)
}

function requestedSize(path: string, { minimumSizes }: CheckedOptions): number {
  const asked = minimumSizes.get(path)
  if (asked === undefined) return 0
  return Math.max(asked, path === '/boot' ? LEAST_BOOT_REQUEST : LEAST_REQUEST)
}
