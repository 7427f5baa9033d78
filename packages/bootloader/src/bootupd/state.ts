import {
  type ByteSource,
  decodeUtf8,
  FormatError,
  portableRuntime,
  type Runtime,
  type RuntimeOptions,
  readAll,
  streamSource,
} from '@bootable/bytes'
import { createFile, type FileTree, findFile, putInode, resolvePath, type Timestamp } from '@bootable/tree'
import type { PayloadFile } from '../efi/payload.ts'
import { EFI_COMPONENTS } from '../efi/payload.ts'
import type { GrubChoice } from '../grub/choose.ts'
import type { Installation } from '../installation.ts'

const UPDATES = 'usr/lib/bootupd/updates'
const STATE = 'boot/bootupd-state.json'

/** Where the daemon itself lies; its age is what bootupd notes for the configuration that it writes. */
const PROGRAMS = ['usr/libexec/bootupd', 'usr/bin/bootupctl']

/** `ContentMetadata`: of what age and version the files are. Keys are in bootupd's order. */
interface ContentMetadata {
  readonly timestamp: string
  readonly version: string
  readonly versions: unknown
}

/** Nobody's metadata is longer. */
const MAX_METADATA = 1024 * 1024

/** What else the state is made of. */
export interface BootupdStateOptions extends RuntimeOptions {
  /** Whether `grub.cfg` is put together from bootupd's pieces. */
  readonly hasStaticConfig: boolean
}

/**
 * Writes `/boot/bootupd-state.json` as `bootupctl backend install` does (`SavedState` of bootupd's
 * `model.rs`), so that `bootupctl status` and `bootupctl update` know what they have before them. Only where
 * the image ships bootupd's metadata.
 *
 * Files that are on the partition besides those of the image are not listed: bootupd deletes what is listed
 * and not in an update, and GRUB beside shim in `EFI/BOOT` is what starts the machine.
 *
 * @throws FormatError for metadata that bootupd would not read
 */
export async function putBootupdState(
  { system, clock, signal }: Installation,
  choice: GrubChoice,
  { hasStaticConfig, runtime = portableRuntime }: BootupdStateOptions,
): Promise<void> {
  const bios = choice.bios === undefined ? undefined : await readMetadata(system.root, 'BIOS')
  const efi = choice.files.length === 0 ? undefined : await readMetadata(system.root, 'EFI')
  if (!bios && !efi) return

  const children: Record<string, object> = {}
  for (const file of efi ? shippedFiles(choice.files) : []) {
    signal?.throwIfAborted()
    const content = findFile(system.root, file.source)?.content
    if (content) children[file.target.slice('EFI/'.length)] = await describeFile(file, content, runtime)
  }
  const state = {
    installed: {
      ...(bios && { BIOS: { meta: bios, filetree: null, 'adopted-from': null } }),
      ...(efi && { EFI: { meta: efi, filetree: { children }, 'adopted-from': null } }),
    },
    pending: null,
    'static-configs': hasStaticConfig ? describeStaticConfig(system.root, clock) : null,
  }
  putInode(system.sysroot, STATE, createFile(JSON.stringify(state), { mode: 0o644, mtime: clock }))
}

async function readMetadata(root: FileTree, component: 'BIOS' | 'EFI'): Promise<ContentMetadata | undefined> {
  const path = `${UPDATES}/${component}.json`
  const file = findFile(root, path)
  if (!file) return undefined
  const fail = (message: string): FormatError =>
    new FormatError('FORMAT_INVALID', { format: 'bootupd', structure: `/${path}` }, message)
  const metadata = parseObject(decodeUtf8(await readAll(file.content, MAX_METADATA)))
  if (!metadata) throw fail('it is no JSON object')
  const { timestamp, version, versions = null } = metadata
  if (typeof timestamp !== 'string' || typeof version !== 'string') {
    throw fail('timestamp and version are needed, as strings')
  }
  return { timestamp, version, versions }
}

function parseObject(text: string | undefined): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text ?? '')
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** Files that stand on the partition where they stand in the image; sorted as bootupd's `BTreeMap` is. */
function shippedFiles(files: readonly PayloadFile[]): PayloadFile[] {
  return files.filter(({ source, target }) => source.endsWith(`/${target}`))
}

/** `FileMetadata`. Only files of components have a source: in the other place it is the key. */
async function describeFile({ source }: PayloadFile, content: ByteSource, runtime: Runtime): Promise<object> {
  const hash = runtime.createHash('sha512')
  for await (const chunk of streamSource(content)) hash.update(chunk)
  const hex = Array.from(hash.digest(), (byte) => byte.toString(16).padStart(2, '0')).join('')
  const components = `${EFI_COMPONENTS}/`
  return {
    ...(source.startsWith(components) && { source: source.slice(components.length) }),
    size: content.size,
    sha512: `sha512:${hex}`,
  }
}

/** bootupd notes its own version, which no file tells; it only asks whether there is a record. */
function describeStaticConfig(root: FileTree, clock: Timestamp): ContentMetadata {
  const program = PROGRAMS.map((path) => resolvePath(root, path)?.inode).find((inode) => inode !== undefined)
  const { seconds } = program?.mtime ?? clock
  const timestamp = new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
  return { timestamp, version: 'unknown', versions: null }
}
