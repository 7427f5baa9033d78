import { BootableError } from '@bootable/bytes'
import type { Directory, FileTree, Inode, RegularFile } from '@bootable/tree'
import { sortedEntries } from '@bootable/tree'
import type { FatErrorCode } from './format.ts'
import { ENTRY_SIZE, FIRST_CLUSTER, LONG_NAME_UNITS, MAX_DIRECTORY_ENTRIES, MAX_FILE_SIZE } from './format.ts'
import type { FatLayout } from './layout.ts'
import { clusterSize } from './layout.ts'
import type { ShortName } from './names.ts'
import { assignShortNames, caseKey, nameProblem } from './names.ts'

/** A name that will stand in a directory. */
export interface PlannedEntry {
  readonly name: string
  readonly short: ShortName
  readonly inode: RegularFile | Directory
  /** Index into {@link FatPlan.directories} or {@link FatPlan.files}, after the inode's type. */
  readonly index: number
}

export interface PlannedDirectory {
  readonly inode: Directory
  /** Index of the directory above; the root names itself. */
  readonly parent: number
  readonly entries: PlannedEntry[]
  /** Entries of 32 bytes: short, long, `.`, `..` and the volume label. */
  slots: number
}

/** What a tree comes to in FAT's terms, before any place is given out. */
export interface FatPlan {
  /** Parents before children; the root first. */
  readonly directories: readonly PlannedDirectory[]
  /** In the order of the tree; a file with two names is two files. */
  readonly files: readonly RegularFile[]
}

/** The first cluster of every directory and file, and how long the chains are. */
export interface FatAllocation {
  readonly directories: readonly number[]
  /** 0 for an empty file, which has no cluster. */
  readonly files: readonly number[]
  /** Lengths of the chains in the order of their clusters, which follow each other from cluster 2 on. */
  readonly chains: readonly number[]
  /** Clusters in use. */
  readonly used: number
}

/** @throws BootableError `FAT_UNSUPPORTED`, `FAT_NAME_COLLISION` */
export function planTree(tree: FileTree, label: string | undefined): FatPlan {
  const directories: PlannedDirectory[] = []
  const files: RegularFile[] = []
  const paths: string[] = []
  const add = (inode: Directory, parent: number, path: string, slots: number): number => {
    paths.push(path)
    return directories.push({ inode, parent, entries: [], slots }) - 1
  }

  add(tree.root, 0, '', label === undefined ? 0 : 1)
  for (let at = 0; at < directories.length; at++) {
    const directory = directories[at] as PlannedDirectory
    const path = paths[at] as string
    const children = sortedEntries(directory.inode)
    checkNames(children, path)
    const shorts = assignShortNames(children.map(([name]) => name))
    for (const [position, [name, inode]] of children.entries()) {
      const short = shorts[position] as ShortName
      directory.slots += 1 + (short.lossy ? Math.ceil(name.length / LONG_NAME_UNITS) : 0)
      const childPath = `${path}/${name}`
      checkInode(inode, childPath)
      const index = inode.type === 'directory' ? add(inode, at, childPath, 2) : files.push(inode) - 1
      directory.entries.push({ name, short, inode, index })
    }
    if (directory.slots > MAX_DIRECTORY_ENTRIES) {
      throw unsupported(
        path,
        `needs ${directory.slots} directory entries, FAT has at most ${MAX_DIRECTORY_ENTRIES}`,
      )
    }
  }
  return { directories, files }
}

/** Clusters that the tree takes with this layout. The root of FAT12 and FAT16 takes none. */
export function countClusters(plan: FatPlan, layout: FatLayout): number {
  const size = clusterSize(layout)
  let clusters = 0
  for (const [index, directory] of plan.directories.entries()) {
    if (index > 0 || layout.type === 32) clusters += directoryClusters(directory, size)
  }
  for (const file of plan.files) clusters += Math.ceil(file.content.size / size)
  return clusters
}

/**
 * Gives out clusters: directories first, then files, each in one piece.
 * @throws BootableError `FAT_NO_SPACE`
 */
export function allocateClusters(plan: FatPlan, layout: FatLayout): FatAllocation {
  const needed = countClusters(plan, layout)
  const bytes = clusterSize(layout)
  if (needed > layout.clusters) {
    throw new BootableError<FatErrorCode>(
      'FAT_NO_SPACE',
      `the tree takes ${needed} clusters of ${bytes} bytes, the FAT${layout.type} volume has ${layout.clusters}`,
      {
        details: { needed, available: layout.clusters, clusterSize: bytes },
        hint: 'make the partition larger',
      },
    )
  }
  const chains: number[] = []
  let next = FIRST_CLUSTER
  const take = (clusters: number): number => {
    if (clusters === 0) return 0
    chains.push(clusters)
    next += clusters
    return next - clusters
  }
  const directories = plan.directories.map((directory, index) =>
    index === 0 && layout.type !== 32 ? 0 : take(directoryClusters(directory, bytes)),
  )
  const files = plan.files.map((file) => take(Math.ceil(file.content.size / bytes)))
  return { directories, files, chains, used: needed }
}

/** A directory has at least one cluster, be it empty. */
function directoryClusters(directory: PlannedDirectory, size: number): number {
  return Math.max(1, Math.ceil((directory.slots * ENTRY_SIZE) / size))
}

function checkNames(children: readonly [name: string, inode: Inode][], parent: string): void {
  const seen = new Map<string, string>()
  for (const [name] of children) {
    const problem = nameProblem(name)
    if (problem) throw unsupported(`${parent}/${name}`, problem)
    const other = seen.get(caseKey(name))
    if (other !== undefined) {
      throw new BootableError<FatErrorCode>(
        'FAT_NAME_COLLISION',
        `${parent}/${other} and ${parent}/${name} are one name to FAT, which does not tell case apart`,
        { details: { directory: parent, names: [other, name] }, hint: 'rename one of them' },
      )
    }
    seen.set(caseKey(name), name)
  }
}

function checkInode(inode: Inode, path: string): asserts inode is RegularFile | Directory {
  if (inode.type !== 'file' && inode.type !== 'directory') {
    throw unsupported(path, `is a ${inode.type}; FAT holds only files and directories`)
  }
  if (inode.type === 'file' && inode.content.size > MAX_FILE_SIZE) {
    throw unsupported(path, `has ${inode.content.size} bytes, more than the ${MAX_FILE_SIZE} of a FAT file`)
  }
}

function unsupported(path: string, problem: string): BootableError<FatErrorCode> {
  const name = path === '' ? '/' : path
  return new BootableError('FAT_UNSUPPORTED', `${name} ${problem}`, { details: { path: name, problem } })
}
