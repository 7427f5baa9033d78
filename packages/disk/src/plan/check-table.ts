import { labelProblem } from '@bootable/blueprint/rules'
import { BootableError } from '@bootable/bytes'
import type { Problems } from '../errors.ts'
import { ENTRY_COUNT } from '../gpt/format.ts'
import { planLuks } from '../luks/index.ts'
import { LVM_EXTENT_SIZE, planVolumeGroup } from '../lvm/index.ts'
import type { TableContext } from './base-table.ts'
import { isCanonicalPath, mountPointProblem } from './mount-points.ts'
import {
  contentsIn,
  type DiskTable,
  holdsRoot,
  mountedPaths,
  type TableContent,
  type TableEntry,
} from './table.ts'

/** Partitions of a DOS table that are no logical ones. */
const DOS_ENTRY_COUNT = 4

/**
 * The rules of a table as a whole, whoever asked for it: what a blueprint's own rules cannot see is here,
 * such as what was added to it and what the layout of the system allows.
 */
export function checkTable(table: DiskTable, context: TableContext, problems: Problems): void {
  const { entries, grain, sectorSize, startOffset } = table
  if (grain <= 0 || grain % sectorSize !== 0) {
    problems.report('partition_table.grain_size', `${grain} bytes are not whole sectors of ${sectorSize}`)
  }
  if (startOffset.bytes < 0 || (startOffset.absolute && startOffset.bytes % sectorSize !== 0)) {
    const where = `${startOffset.bytes} bytes are not whole sectors of ${sectorSize}`
    problems.report('partition_table.start_offset', where)
  }
  checkCount(table, problems)
  if (!entries.some(({ content }) => holdsRoot(content))) {
    problems.report('partition_table.partitions', 'none of them is mounted at /')
  }
  checkMounts(table, context, problems)
  checkUnique(table, problems)
  for (const entry of entries) checkEntry(entry, table, problems)
}

function checkCount({ type, entries }: DiskTable, problems: Problems): void {
  const limit = type === 'dos' ? DOS_ENTRY_COUNT : ENTRY_COUNT
  if (entries.length <= limit) return
  const names = entries.length > 16 ? '' : ` (${entries.map(({ name }) => name).join(', ')})`
  problems.report(
    'partitions',
    `${entries.length} partitions${names}, with those that are added; a ${type} table has ${limit}`,
  )
}

/** Every place in the table with where it was asked for. */
function mountsByKey({ entries }: DiskTable): { key: string; path: string }[] {
  const within = (content: TableContent | undefined, key: string): { key: string; path: string }[] => {
    if (content?.type === 'lvm') {
      return content.volumes.flatMap((volume) => within(volume.content, volume.key))
    }
    if (content?.type === 'luks') return within(content.content, key)
    return mountedPaths(content).map((path) => ({ key, path }))
  }
  return entries.flatMap(({ key, content }) => within(content, key))
}

function checkMounts(table: DiskTable, { layout }: TableContext, problems: Problems): void {
  const seen = new Set<string>()
  for (const { key, path } of mountsByKey(table)) {
    if (seen.has(path)) problems.report(key, `${path} is there twice`)
    seen.add(path)
    if (!isCanonicalPath(path)) {
      problems.report(key, `"${path}" is not an absolute path in its shortest form`)
      continue
    }
    const problem = mountPointProblem(path, layout)
    if (problem !== undefined) problems.report(key, problem)
  }
}

function checkUnique({ entries }: DiskTable, problems: Problems): void {
  const seen = new Map<string, string>()
  const unique = (what: string, value: string | undefined, key: string): void => {
    if (value === undefined) return
    const name = `${what} ${value}`
    const before = seen.get(name)
    if (before !== undefined) problems.report(key, `the ${name} is that of ${before}, too`)
    else seen.set(name, key)
  }
  for (const { key, uuid, content } of entries) {
    unique('partition uuid', uuid, key)
    for (const part of contentsIn(content)) {
      if (part.type === 'lvm') unique('volume group', part.name, key)
      else if (part.type !== 'raw') unique('uuid', part.uuid?.toLowerCase(), key)
      if (part.type !== 'btrfs') continue
      const names = part.subvolumes.map(({ name }) => name)
      for (const name of new Set(names.filter((name, index) => names.indexOf(name) !== index))) {
        problems.report(key, `the subvolume ${name} is there twice`)
      }
    }
  }
}

function checkEntry(entry: TableEntry, { type, sectorSize }: DiskTable, problems: Problems): void {
  const { key, label, start, size, minimum, content } = entry
  if (label.length > 36) problems.report(key, `the label "${label}" has more than 36 characters`)
  if (type === 'dos' && label !== '') problems.report(key, 'a dos table has no labels')
  const isType = type === 'dos' ? /^[0-9a-f]{2}$/ : /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
  if (!isType.test(entry.type)) problems.report(key, `"${entry.type}" is no type of a ${type} table`)
  if (start !== undefined && start % sectorSize !== 0) {
    problems.report(key, `it starts at ${start}, which is no whole sector of ${sectorSize} bytes`)
  }
  for (const bytes of new Set([size, minimum, ...contentsIn(content).flatMap(volumeSizes)])) {
    if (!Number.isSafeInteger(bytes) || bytes < 0) problems.report(key, `${bytes} is no number of bytes`)
  }
  checkContent(content, key, { isEncrypted: false, isLogical: false }, problems)
}

function volumeSizes(content: TableContent): number[] {
  return content.type === 'lvm' ? content.volumes.flatMap(({ size, minimum }) => [size, minimum]) : []
}

interface Surroundings {
  readonly isEncrypted: boolean
  readonly isLogical: boolean
}

/** What a boot loader and firmware cannot read, and what lies in each other in no order that works. */
function checkContent(
  content: TableContent | undefined,
  key: string,
  around: Surroundings,
  problems: Problems,
): void {
  if (content?.type === 'luks') {
    if (around.isEncrypted) problems.report(key, 'is encrypted twice')
    told(content.key, problems, () => {
      const { uuid = NO_UUID, label = '', subsystem = '', sectorSize, pbkdf } = content
      planLuks({ uuid, seed: '', label, subsystem, sectorSize, pbkdf })
    })
    checkContent(content.content, key, { ...around, isEncrypted: true }, problems)
    return
  }
  if (content?.type === 'lvm') {
    if (around.isLogical) problems.report(key, 'is a volume group on a volume of another')
    told(key, problems, () => {
      const { name, volumes } = content
      const least = volumes.map((volume) => ({ name: volume.name, size: LVM_EXTENT_SIZE }))
      planVolumeGroup({ name, seed: '', size: 2 ** 50, volumes: least })
    })
    for (const volume of content.volumes) {
      checkContent(volume.content, volume.key, { ...around, isLogical: true }, problems)
    }
    return
  }
  for (const path of mountedPaths(content)) {
    if (path !== '/boot' && path !== '/boot/efi') continue
    if (around.isEncrypted) problems.report(key, `${path} cannot be encrypted: it is read before anything is`)
    if (around.isLogical) problems.report(key, `${path} cannot be on a logical volume`)
  }
  const format = formatOf(content)
  if (format !== undefined && content && 'label' in content) {
    const problem = labelProblem(format, content.label ?? '')
    if (problem !== undefined) problems.report(key, `the label "${content.label}" ${problem}`)
  }
  if (content?.type !== 'filesystem') return
  const { path } = content
  if (path === '/boot/efi' && format !== 'vfat') problems.report(key, `/boot/efi must be vfat, not ${format}`)
  if (path === '/' && format === 'vfat') problems.report(key, 'vfat cannot hold a root filesystem')
}

function formatOf(content: TableContent | undefined): string | undefined {
  if (content?.type === 'filesystem') return content.format
  return content?.type === 'btrfs' || content?.type === 'swap' ? content.type : undefined
}

/** Stands for one that will follow from the seed. */
const NO_UUID = '00000000-0000-4000-8000-000000000000'

/** Takes note of everything that a plan of volumes says about its options. */
function told(key: string, problems: Problems, plan: () => void): void {
  try {
    plan()
  } catch (error) {
    if (!BootableError.is(error) || !Array.isArray(error.details.problems)) throw error
    for (const problem of error.details.problems) problems.report(key, String(problem))
  }
}
