import { BootableError, decodeUtf8, readAll } from '@bootable/bytes'
import { type FileTree, findDirectory, resolvePath, sortedEntries } from '@bootable/tree'
import type { OstreeErrorCode } from '../errors.ts'
import type { FindingLog } from './findings.ts'

/** How the boot loader starts a deployment. */
export interface DeploymentBootEntry {
  /** Path of the file in the sysroot. */
  readonly path: string
  readonly title?: string
  /** Larger ones boot first. */
  readonly version?: string
  /** Paths as the boot loader sees them. */
  readonly linux?: string
  readonly initrd: readonly string[]
  /** The kernel's command line. */
  readonly options: string
}

/** No boot loader reads longer ones. */
const MAX_ENTRY = 65_536

/**
 * The boot entries of ostree, in its order: the version decides, the largest first. Other entries in the
 * same folder are left out.
 */
export async function readDeploymentEntries(
  sysroot: FileTree,
  log: FindingLog,
): Promise<DeploymentBootEntry[]> {
  const folder = 'boot/loader/entries'
  const directory = findDirectory(sysroot, folder)
  if (!directory) {
    log.add(
      'boot/loader',
      'no boot entries are here; /boot may be a filesystem of its own that was not found',
    )
    return []
  }
  const names = sortedEntries(directory)
    .map(([name]) => name)
    .filter((name) => name.startsWith('ostree-') && name.endsWith('.conf'))
  const entries = await Promise.all(
    names.map((name) => log.attempt(`${folder}/${name}`, () => readEntry(sysroot, `${folder}/${name}`))),
  )
  return entries
    .filter((entry) => entry !== undefined)
    .sort((a, b) => compareVersions(b.version ?? '', a.version ?? ''))
}

async function readEntry(sysroot: FileTree, place: string): Promise<DeploymentBootEntry> {
  const found = resolvePath(sysroot, place)
  const content = found?.inode.type === 'file' ? found.inode.content : undefined
  const text = content && content.size <= MAX_ENTRY ? decodeUtf8(await readAll(content)) : undefined
  if (!found || text === undefined) {
    throw new BootableError<OstreeErrorCode>(
      'OSTREE_INVALID_BOOT_ENTRY',
      `the entry is no text of at most ${MAX_ENTRY} bytes`,
    )
  }
  const lines = text.split('\n').map(keyAndValue)
  const all = (key: string): string[] => lines.filter((line) => line[0] === key).map(([, value]) => value)
  const [title, version, linux] = ['title', 'version', 'linux'].map((key) => all(key).at(-1))
  return {
    path: found.path,
    ...(title !== undefined && { title }),
    ...(version !== undefined && { version }),
    ...(linux !== undefined && { linux }),
    initrd: all('initrd'),
    options: all('options').join(' '),
  }
}

function keyAndValue(line: string): [key: string, value: string] {
  const trimmed = line.trim()
  const blank = trimmed.search(/\s/)
  return blank < 0 ? [trimmed, ''] : [trimmed.slice(0, blank), trimmed.slice(blank).trimStart()]
}

/** As strverscmp(3) for versions without leading zeros: runs of digits count as numbers. */
export function compareVersions(a: string, b: string): number {
  const left = runsOf(a)
  const right = runsOf(b)
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const [one, two] = [left[index] as string, right[index] as string]
    if (one === two) continue
    const numbers = /^\d/.test(one) && /^\d/.test(two)
    // A longer run of digits is a larger number.
    if (numbers && one.length !== two.length) return one.length - two.length
    return one < two ? -1 : 1
  }
  return left.length - right.length
}

function runsOf(text: string): readonly string[] {
  return text.match(/\d+|\D+/g) ?? []
}
