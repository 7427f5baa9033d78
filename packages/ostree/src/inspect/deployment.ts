import { BootableError, decodeUtf8, type RuntimeOptions, readAll } from '@bootable/bytes'
import type { Digest } from '@bootable/oci'
import { findKernels, splitKernelArguments } from '@bootable/system'
import { type Directory, type FileTree, findFile, lookup, resolvePath, sortedEntries } from '@bootable/tree'
import type { OstreeErrorCode } from '../errors.ts'
import type { Checksum } from '../object/checksum.ts'
import { type Origin, parseOrigin } from '../sysroot/origin.ts'
import { type ComposefsMode, composefsModeAt, readPrepareRoot } from '../sysroot/prepare-root.ts'
import type { DeploymentBootEntry } from './boot-entries.ts'
import { createFindingLog, type Finding, type FindingLog } from './findings.ts'
import { type ImageFacts, readImageFacts } from './image-facts.ts'
import { readCommit } from './repository-files.ts'

/** One system in a sysroot that can be booted, as plain data. */
export interface Deployment {
  /** In the sysroot: `ostree/deploy/<stateroot>/deploy/<commit>.<serial>`. */
  readonly path: string
  readonly stateroot: string
  readonly commit: Checksum
  /** Tells deployments of one commit apart. */
  readonly serial: number
  /** Whether the machine boots it when nobody chooses another. */
  readonly isDefault: boolean
  /** Absent where no boot entry could be read. */
  readonly bootEntry?: DeploymentBootEntry
  /** Words of the kernel's command line. */
  readonly kernelArguments: readonly string[]
  readonly kernelVersion?: string
  /** The file that says where it came from; absent where it is missing or damaged. */
  readonly origin?: Origin
  /** Of the commit, in seconds since 1970. */
  readonly timestamp?: number
  /** `version` in the metadata of the commit; that of an image is in `image`. */
  readonly version?: string
  /** The commit before it: the base of a derived image, when that base is an ostree commit itself. */
  readonly base?: Checksum
  /** Absent for a commit that was not made from a container image. */
  readonly image?: ImageFacts
  readonly labels: LabelCount
  readonly composefs: {
    /** Whether there is an image (`.ostree.cfs`) to mount as the root. */
    readonly image: boolean
    /** What its kernel arguments, or else its prepare-root.conf, ask for. */
    readonly enabled: ComposefsMode
  }
  readonly findings: readonly Finding[]
}

/** How many names carry an SELinux label (`security.selinux`). */
export interface LabelCount {
  readonly labelled: number
  readonly total: number
}

const DEPLOYMENT = /^ostree\/deploy\/([^/]+)\/deploy\/([0-9a-f]{64})\.(\d{1,9})$/

/** The deployment that a boot entry starts, by its `ostree=`; what is wrong with that goes into the log. */
export function findDeployment(
  sysroot: FileTree,
  { path, options }: DeploymentBootEntry,
  log: FindingLog,
): string | undefined {
  const words = splitKernelArguments(options)
  const link = words.findLast((word) => word.startsWith('ostree='))?.slice('ostree='.length)
  if (link === undefined) {
    log.add(path, 'the kernel arguments have no ostree=')
    return undefined
  }
  const found = resolvePath(sysroot, link)
  if (found?.inode.type === 'directory' && DEPLOYMENT.test(found.path)) return found.path
  log.add(path, `${link} does not lead to a deployment`)
  return undefined
}

/** Paths of all directories that look like deployments, whether anything boots them or not. */
export function listDeploymentPaths(sysroot: FileTree): string[] {
  const names = (path: string): string[] => {
    const inode = lookup(sysroot, path)
    return inode?.type === 'directory' ? sortedEntries(inode).map(([name]) => name) : []
  }
  return names('ostree/deploy')
    .flatMap((stateroot) => {
      const folder = `ostree/deploy/${stateroot}/deploy`
      return names(folder).map((name) => `${folder}/${name}`)
    })
    .filter((path) => DEPLOYMENT.test(path) && lookup(sysroot, path)?.type === 'directory')
}

/** Options of {@link readDeployment}. */
interface ReadDeploymentOptions extends RuntimeOptions {
  readonly storedLayers: ReadonlySet<Digest>
  readonly bootEntry?: DeploymentBootEntry
  readonly isDefault: boolean
}

/** Describes the deployment at a path; what is damaged becomes a finding. */
export async function readDeployment(
  sysroot: FileTree,
  path: string,
  options: ReadDeploymentOptions,
): Promise<Deployment> {
  const { bootEntry, isDefault } = options
  const log = createFindingLog()
  const [, stateroot, commit, serial] = DEPLOYMENT.exec(path) as unknown as [string, string, string, string]
  const tree: FileTree = { root: lookup(sysroot, path) as Directory }
  const kernelArguments = splitKernelArguments(bootEntry?.options ?? '')

  const origin = await log.attempt(`${path}.origin`, () => readOrigin(sysroot, `${path}.origin`))
  const contents = await log.attempt(path, () => readCommit(sysroot, commit, options))
  const image = contents && (await readImageFacts(contents, path, options.storedLayers, log))
  const kernelVersion = findKernelVersion(sysroot, tree, bootEntry, log)
  const configured = await log.attempt(path, () => readPrepareRoot(tree))
  const enabled = await log.attempt(path, () =>
    composefsModeAt(configured?.composefs ?? 'no', kernelArguments),
  )
  const hasImage = findFile(tree, '.ostree.cfs') !== undefined
  if (enabled !== undefined && !['no', 'maybe'].includes(enabled) && !hasImage) {
    log.add(path, `composefs is asked for (${enabled}), but there is no .ostree.cfs: it will not boot`)
  }
  const version = contents?.metadata.get('version')
  return {
    path,
    stateroot,
    commit,
    serial: Number(serial),
    isDefault,
    ...(bootEntry && { bootEntry }),
    kernelArguments,
    ...(kernelVersion !== undefined && { kernelVersion }),
    ...(origin && { origin }),
    ...(contents && { timestamp: contents.timestamp }),
    ...(typeof version === 'string' && { version }),
    ...(contents?.parent !== undefined && { base: contents.parent }),
    ...(image && { image }),
    labels: countLabels(tree),
    composefs: { image: hasImage, enabled: enabled ?? 'no' },
    findings: log.findings,
  }
}

const MAX_ORIGIN = 1_048_576

async function readOrigin(sysroot: FileTree, path: string): Promise<Origin> {
  const file = lookup(sysroot, path)
  const text = file?.type === 'file' ? decodeUtf8(await readAll(file.content, MAX_ORIGIN)) : undefined
  if (text !== undefined) return parseOrigin(text, `/${path}`)
  throw new BootableError<OstreeErrorCode>('OSTREE_INVALID_KEY_FILE', 'there is no origin, or it is no text')
}

/** By the name of the kernel that the entry boots; else by the modules, where there is one kernel only. */
function findKernelVersion(
  sysroot: FileTree,
  tree: FileTree,
  bootEntry: DeploymentBootEntry | undefined,
  log: FindingLog,
): string | undefined {
  if (bootEntry) {
    const { path, linux, initrd } = bootEntry
    for (const file of [linux ?? '(no kernel)', ...initrd]) {
      // Without `bootprefix` paths count from the boot filesystem.
      const found = findFile(sysroot, file) ?? findFile(sysroot, `boot/${file}`)
      if (!found) log.add(path, `${file} is not there`)
    }
    const version = /\/vmlinuz-([^/]+)$/.exec(linux ?? '')?.[1]
    if (version !== undefined) return version
  }
  const kernels = findKernels(tree)
  return kernels.length === 1 ? kernels[0]?.version : undefined
}

/** Counts the names of a tree that carry a label, and all names. */
export function countLabels(tree: FileTree): LabelCount {
  const count = { labelled: 0, total: 0 }
  const pending = [tree.root]
  for (let directory = pending.pop(); directory; directory = pending.pop()) {
    for (const inode of directory.entries.values()) {
      count.total++
      if (inode.xattrs.has('security.selinux')) count.labelled++
      if (inode.type === 'directory') pending.push(inode)
    }
  }
  return count
}
