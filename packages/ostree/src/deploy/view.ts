import type { Directory, FileTree } from '@bootable/tree'

/**
 * What a machine sees as `/` when it runs a deployment: the deployment's own names, but `/var` is the
 * stateroot's and `/boot` the physical one. Directories are those of the sysroot, so that an edit in `/etc`,
 * `/var` or `/boot` lands where it belongs; nothing else is to be edited. `/sysroot` stays the empty
 * directory that it is: the view would contain itself.
 */
export function viewDeployment(deployment: Directory, variable: Directory, boot: Directory): FileTree {
  const entries = new Map(deployment.entries).set('var', variable).set('boot', boot)
  return { root: { ...deployment, entries } }
}
