import type { TableContent, TableEntry } from './table.ts'
import { mountedPaths } from './table.ts'

/** What people call a place: `root`, `esp`, or its path with dashes. */
export function placeName(path: string): string {
  if (path === '/') return 'root'
  return path === '/boot/efi' ? 'esp' : path.slice(1).replaceAll('/', '-')
}

/** What people call a partition, by what is in it. */
export function contentName(content: TableContent | undefined): string {
  if (!content) return 'data'
  const inner = content.type === 'luks' ? content.content : content
  if (inner.type === 'lvm') return inner.name
  const [path] = mountedPaths(inner)
  return path === undefined ? inner.type : placeName(path)
}

/** Gives names of their own to entries that would have the same: `swap`, `swap-2`. */
export function nameApart(entries: readonly TableEntry[]): TableEntry[] {
  const taken = new Set<string>()
  return entries.map((entry) => {
    let { name } = entry
    for (let count = 2; taken.has(name); count++) name = `${entry.name}-${count}`
    taken.add(name)
    return { ...entry, name }
  })
}

/** The name of a logical volume that was given none, as osbuild makes it. */
export function volumeName(content: TableContent | undefined): string {
  const inner = content?.type === 'luks' ? content.content : content
  if (inner?.type === 'swap') return 'swaplv'
  const path = mountedPaths(inner)[0]
  if (path === '/') return 'rootlv'
  return path === undefined ? 'datalv' : `${path.slice(1).replaceAll('/', '_')}lv`
}

/** A name that none has yet: `datalv`, `datalv00`, `datalv01`. */
export function unusedName(name: string, taken: ReadonlySet<string>): string {
  let unused = name
  for (let count = 0; taken.has(unused); count++) unused = `${name}${String(count).padStart(2, '0')}`
  return unused
}
