import { BootableError, type RuntimeOptions } from '@bootable/bytes'
import type { Digest } from '@bootable/oci'
import { type FileTree, lookup } from '@bootable/tree'
import type { OstreeErrorCode } from '../errors.ts'
import { readDeploymentEntries } from './boot-entries.ts'
import { type Deployment, findDeployment, listDeploymentPaths, readDeployment } from './deployment.ts'
import { createFindingLog, type Finding } from './findings.ts'
import { readStoredLayers } from './repository-files.ts'

/** What the physical root of a machine with ostree holds, as plain data. */
export interface Sysroot {
  /** In ostree's order: what boots by default comes first. */
  readonly deployments: readonly Deployment[]
  /** Layers of container images that the repository holds: an update does not fetch them again. */
  readonly storedLayers: readonly Digest[]
  /** What is wrong outside of any deployment. */
  readonly findings: readonly Finding[]
}

/** Whether a tree is the physical root of a machine with ostree. Images have at most a link there. */
export function isOstreeSysroot(tree: FileTree): boolean {
  return (
    lookup(tree, 'ostree/repo')?.type === 'directory' && lookup(tree, 'ostree/deploy')?.type === 'directory'
  )
}

/**
 * Reads a sysroot as `ostree admin status` does: the boot entries say which deployments there are and in
 * which order. A deployment that is staged for the next boot is known to the running machine only (below
 * `/run`) and cannot be found here.
 *
 * What is damaged becomes a finding, and the rest is still read.
 *
 * @param sysroot the physical root, with the boot filesystem at `/boot`
 * @throws BootableError `OSTREE_NO_SYSROOT` for a tree that is none
 */
export async function readSysroot(sysroot: FileTree, options: RuntimeOptions = {}): Promise<Sysroot> {
  if (!isOstreeSysroot(sysroot)) {
    throw new BootableError<OstreeErrorCode>(
      'OSTREE_NO_SYSROOT',
      'there is no /ostree/repo and /ostree/deploy',
      {
        hint: 'this is not the physical root of a machine with ostree',
      },
    )
  }
  const log = createFindingLog()
  const storedLayers = await readStoredLayers(sysroot)
  const common = { ...options, storedLayers: new Set(storedLayers) }
  const deployments: Deployment[] = []
  const entries = await readDeploymentEntries(sysroot, log)
  for (const bootEntry of entries) {
    const path = findDeployment(sysroot, bootEntry, log)
    if (path === undefined) continue
    if (deployments.some((deployment) => deployment.path === path)) {
      log.add(bootEntry.path, 'another boot entry leads to the same deployment')
      continue
    }
    const isDefault = deployments.length === 0
    deployments.push(await readDeployment(sysroot, path, { ...common, bootEntry, isDefault }))
  }
  for (const path of listDeploymentPaths(sysroot)) {
    if (deployments.some((deployment) => deployment.path === path)) continue
    // Without any boot entry the deployments are all there is to show.
    if (entries.length > 0) log.add(path, 'no boot entry leads here: ostree will remove it')
    else deployments.push(await readDeployment(sysroot, path, { ...common, isDefault: false }))
  }
  return { deployments, storedLayers, findings: log.findings }
}

/** The deployments of {@link readSysroot} alone. @throws BootableError `OSTREE_NO_SYSROOT` */
export async function readDeployments(
  sysroot: FileTree,
  options: RuntimeOptions = {},
): Promise<Deployment[]> {
  return [...(await readSysroot(sysroot, options)).deployments]
}
