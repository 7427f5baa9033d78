import type { FilesystemCustomization } from '@bootable/blueprint'
import { isAllowedMountPoint } from '@bootable/blueprint/rules'
import { GiB, MiB } from '@bootable/bytes'
import type { Problems } from '../errors.ts'
import { extraEntry } from './automatic.ts'
import type { TableContext } from './base-table.ts'
import { isCanonicalPath } from './mount-points.ts'
import { nameApart, unusedName, volumeName } from './naming.ts'
import {
  type DiskTable,
  holdsRoot,
  mountedPaths,
  type TableContent,
  type TableEntry,
  type TableSize,
} from './table.ts'

/** What a blueprint asks for is raised to these. */
const LEAST_REQUEST = GiB
const LEAST_BOOT_REQUEST = 500 * MiB

/** Bytes asked for by mount point. */
export function checkFilesystems(
  filesystems: readonly FilesystemCustomization[],
  rootfs: string,
  problems: Problems,
): Map<string, number> {
  const sizes = new Map<string, number>()
  const seen = new Set<string>()
  for (const [index, { mountpoint, minsize }] of filesystems.entries()) {
    const option = `filesystems[${index}]`
    if (!isCanonicalPath(mountpoint)) {
      problems.report(option, `"${mountpoint}" is not an absolute path in its shortest form`)
    } else if (!isAllowedMountPoint(mountpoint, rootfs)) {
      const allowed = rootfs === 'btrfs' ? '/ and /boot may, on btrfs' : '/, /boot and paths below /var may'
      problems.report(option, `${mountpoint} may not be a filesystem of its own; ${allowed}`)
    } else if (seen.has(mountpoint)) problems.report(option, `${mountpoint} is there twice`)
    else sizes.set(mountpoint, minsize)
    seen.add(mountpoint)
    if (!Number.isSafeInteger(minsize) || minsize < 0) {
      problems.report(option, `minsize ${minsize} is no number of bytes`)
    }
  }
  return sizes
}

/**
 * A table with what `customizations.filesystem` asks for: larger filesystems, and additional ones. New ones
 * stand in front of the root, or in its volume group.
 */
export function requestFilesystems(
  table: DiskTable,
  requests: ReadonlyMap<string, number>,
  context: TableContext,
): DiskTable {
  let entries = table.entries
  for (const [path, minsize] of requests) {
    const bytes = Math.max(minsize, path === '/boot' ? LEAST_BOOT_REQUEST : LEAST_REQUEST)
    const isThere = entries.some(({ content }) => mountedPaths(content).includes(path))
    entries = isThere
      ? entries.map((entry) => raise(entry, path, bytes))
      : withExtra(entries, raise(extraEntry(path, table.type, context), path, bytes))
  }
  return { ...table, entries: nameApart(entries) }
}

/** Raises the least size of what holds a mount point: the partition, or the logical volume in it. */
function raise<Holder extends TableSize & { readonly content?: TableContent }>(
  holder: Holder,
  path: string,
  bytes: number,
): Holder {
  const { content } = holder
  if (!content || !mountedPaths(content).includes(path)) return holder
  if (content.type === 'lvm') return { ...holder, content: raiseVolume(content, path, bytes) }
  if (content.type === 'luks' && content.content.type === 'lvm') {
    return { ...holder, content: { ...content, content: raiseVolume(content.content, path, bytes) } }
  }
  return { ...holder, minimum: Math.max(holder.minimum, bytes) }
}

function raiseVolume(
  group: Extract<TableContent, { type: 'lvm' }>,
  path: string,
  bytes: number,
): typeof group {
  return { ...group, volumes: group.volumes.map((volume) => raise(volume, path, bytes)) }
}

function withExtra(entries: readonly TableEntry[], extra: TableEntry): TableEntry[] {
  const at = entries.findIndex(({ content }) => holdsRoot(content))
  const root = entries[at]
  if (!root) return [...entries, extra]
  const content = root.content && withVolume(root.content, extra)
  if (content) return entries.with(at, { ...root, content })
  return [...entries.slice(0, at), extra, ...entries.slice(at)]
}

/** The volume group of the root with one more volume; `undefined` where the root is in none. */
function withVolume(content: TableContent, extra: TableEntry): TableContent | undefined {
  if (content.type === 'luks') {
    const inner = withVolume(content.content, extra)
    return inner && { ...content, content: inner }
  }
  if (content.type !== 'lvm') return undefined
  const { key, size, minimum, content: inside } = extra
  const name = unusedName(volumeName(inside), new Set(content.volumes.map((volume) => volume.name)))
  const volume = { name, key, size, minimum, ...(inside && { content: inside }) }
  return { ...content, volumes: [...content.volumes, volume] }
}
