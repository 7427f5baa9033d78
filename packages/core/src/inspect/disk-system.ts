import type { RuntimeOptions } from '@bootable/bytes'
import {
  countLabels,
  type Deployment,
  type Finding,
  isOstreeSysroot,
  type LabelCount,
  readSysroot,
} from '@bootable/ostree'
import type { InstalledSystem } from '@bootable/system'
import { type FileTree, findDirectory } from '@bootable/tree'
import { inspectSystem, type SystemReport } from './system.ts'

/** What the system on a disk says about itself. With ostree, that of the deployment that boots by default. */
export interface DiskSystemReport extends SystemReport {
  readonly layout: InstalledSystem['layout']
  readonly labels: LabelCount
  /** In ostree's order, what boots by default first; none in the plain layout. */
  readonly deployments: readonly Deployment[]
  /** What is wrong with the sysroot as a whole; deployments have findings of their own. */
  readonly findings: readonly Finding[]
}

/** Describes the system in the tree of a disk. */
export async function inspectDiskSystem(
  tree: FileTree,
  options: RuntimeOptions = {},
): Promise<DiskSystemReport> {
  if (!isOstreeSysroot(tree)) {
    const labels = countLabels(tree)
    return { ...(await inspectSystem(tree)), layout: 'plain', labels, deployments: [], findings: [] }
  }
  const { deployments, findings } = await readSysroot(tree, options)
  const [first] = deployments
  const root = first && findDirectory(tree, first.path)
  const { bootEntries } = await inspectSystem(tree)
  return {
    // Boot entries lie outside of the deployments.
    ...(await inspectSystem(root ? { root } : tree)),
    bootEntries,
    layout: 'ostree',
    labels: first?.labels ?? { labelled: 0, total: 0 },
    deployments,
    findings,
  }
}
