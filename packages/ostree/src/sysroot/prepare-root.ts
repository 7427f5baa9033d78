import { BootableError } from '@bootable/bytes'
import { splitKernelArguments } from '@bootable/system'
import { type FileTree, findDirectory } from '@bootable/tree'
import type { OstreeErrorCode } from '../errors.ts'
import { type KeyFile, readKeyFile } from './key-file.ts'

/** How the initramfs mounts the root from composefs: `maybe` only where there is an image for it. */
export type ComposefsMode = 'no' | 'maybe' | 'yes' | 'verity' | 'signed'

/** How an image wants its root to be put together at boot: ostree-prepare-root(1). */
export interface PrepareRootConfiguration {
  /** `composefs.enabled` */
  readonly composefs: ComposefsMode
  /** `root.transient`: `/` is writable, and empty again after a reboot. */
  readonly rootTransient: boolean
  /** `etc.transient` */
  readonly etcTransient: boolean
  /** `sysroot.readonly` */
  readonly sysrootReadonly: boolean
}

const FILE = 'ostree/prepare-root.conf'

/**
 * Reads `ostree/prepare-root.conf` of an image or a deployment: the one in `/etc` (`usr/etc` of a commit),
 * else the one in `/usr/lib`. At boot it is the copy in the initramfs that counts, which is made from these.
 *
 * @throws BootableError `OSTREE_INVALID_KEY_FILE`, `OSTREE_INVALID_PREPARE_ROOT`
 */
export async function readPrepareRoot(tree: FileTree): Promise<PrepareRootConfiguration> {
  const etc = findDirectory(tree, 'etc/ostree') ? 'etc' : 'usr/etc'
  const file = (await readKeyFile(tree, `${etc}/${FILE}`)) ?? (await readKeyFile(tree, `usr/lib/${FILE}`))
  return {
    composefs: parseComposefsMode(file?.get('composefs', 'enabled') ?? 'no'),
    rootTransient: flag(file, 'root', 'transient'),
    etcTransient: flag(file, 'etc', 'transient'),
    sysrootReadonly: flag(file, 'sysroot', 'readonly'),
  }
}

/**
 * A value of `composefs.enabled`, or of the kernel argument `ostree.prepare-root.composefs`.
 * @throws BootableError `OSTREE_INVALID_PREPARE_ROOT`
 */
export function parseComposefsMode(text: string): ComposefsMode {
  if (['yes', 'true', '1'].includes(text)) return 'yes'
  if (['no', 'false', '0'].includes(text)) return 'no'
  if (text === 'maybe' || text === 'verity' || text === 'signed') return text
  throw invalid('composefs.enabled', text, 'yes, no, maybe, verity or signed')
}

/** Stands above the configuration: ostree-prepare-root(1). */
const COMPOSEFS_ARGUMENT = 'ostree.prepare-root.composefs='

/**
 * The mode that a machine boots with: that of its kernel arguments, else the configured one.
 * @throws BootableError `OSTREE_INVALID_PREPARE_ROOT`
 */
export function composefsModeAt(
  configured: ComposefsMode,
  kernelArguments: readonly string[],
): ComposefsMode {
  const words = kernelArguments.flatMap(splitKernelArguments)
  const word = words.findLast((text) => text.startsWith(COMPOSEFS_ARGUMENT))
  return word === undefined ? configured : parseComposefsMode(word.slice(COMPOSEFS_ARGUMENT.length))
}

function flag(file: KeyFile | undefined, group: string, key: string): boolean {
  const text = file?.get(group, key) ?? 'false'
  // GLib's booleans: "yes" is none.
  if (text === 'true' || text === '1') return true
  if (text === 'false' || text === '0') return false
  throw invalid(`${group}.${key}`, text, 'true or false')
}

function invalid(key: string, actual: string, expected: string): BootableError<OstreeErrorCode> {
  return new BootableError(
    'OSTREE_INVALID_PREPARE_ROOT',
    `${key} of ${FILE} is ${JSON.stringify(actual)}, and must be ${expected}`,
    { details: { key, actual } },
  )
}
