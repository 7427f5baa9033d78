import { compareBytewise } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import type { Architecture } from './architecture.ts'
import { listFiles } from './edit.ts'
import { readTomlFile } from './toml-file.ts'

/**
 * What an image says about its own installation: the keys of `bootc install` configuration that this
 * project heeds (bootc-install-config(5)).
 */
export interface InstallConfiguration {
  /** `install.filesystem.root.type`, or its older spelling `install.root-fs-type`. */
  readonly rootFilesystem?: string
  /** `install.kargs`, of all files one after the other. */
  readonly kargs: readonly string[]
  /** `install.karg-deletes` */
  readonly kargDeletes: readonly string[]
  /** `install.stateroot` */
  readonly stateroot?: string
  /** `install.root-mount-spec`: replaces `UUID=…` in `root=`; empty for no `root=` at all. */
  readonly rootMountSpec?: string
  /** `install.boot-mount-spec`: the same for `boot=`. */
  readonly bootMountSpec?: string
  /** `install.bootloader` */
  readonly bootloader?: string
  /** `install.discoverable-partitions` */
  readonly discoverablePartitions?: boolean
  /** `install.enforce-container-sigpolicy`: updates must be signed as the machine's policy says. */
  readonly enforceSignaturePolicy?: boolean
  /** `install.ostree.bls-append-except-default`: a key of the repository's configuration. */
  readonly blsAppendExceptDefault?: string
}

/** Where configuration is looked for; a file hides those of its name in the folders before. */
const FOLDERS = [
  'usr/lib/bootc/install',
  'usr/local/lib/bootc/install',
  'etc/bootc/install',
  'run/bootc/install',
]

/**
 * Merges the install configuration of an image: `*.toml` in the order of their names, those left out
 * that are for other architectures. Later values win, kernel arguments add up.
 *
 * @throws BootableError `CONFIGURATION_INVALID`
 */
export async function readInstallConfiguration(
  tree: FileTree,
  architecture: Architecture,
): Promise<InstallConfiguration> {
  const places = new Map(
    FOLDERS.flatMap((folder) => listFiles(tree, folder, '.toml').map((name) => [name, folder])),
  )
  const names = [...places.keys()].sort(compareBytewise)
  const files = await Promise.all(names.map((name) => readTomlFile(tree, `${places.get(name)}/${name}`)))
  let merged: InstallConfiguration = { kargs: [], kargDeletes: [] }
  for (const file of files) {
    const install = file.table('install')
    if (install.texts('match-architectures')?.includes(architecture) === false) continue
    const rootFilesystem =
      install.table('filesystem').table('root').text('type') ?? install.text('root-fs-type')
    const values = {
      rootFilesystem,
      stateroot: install.text('stateroot'),
      rootMountSpec: install.text('root-mount-spec'),
      bootMountSpec: install.text('boot-mount-spec'),
      bootloader: install.text('bootloader'),
      discoverablePartitions: install.flag('discoverable-partitions'),
      enforceSignaturePolicy: install.flag('enforce-container-sigpolicy'),
      blsAppendExceptDefault: install.table('ostree').text('bls-append-except-default'),
    }
    merged = {
      ...merged,
      ...Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)),
      kargs: [...merged.kargs, ...(install.texts('kargs') ?? [])],
      kargDeletes: [...merged.kargDeletes, ...(install.texts('karg-deletes') ?? [])],
    }
  }
  return merged
}
