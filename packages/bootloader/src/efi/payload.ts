import type { FileTree } from '@bootable/tree'
import { findDirectory, resolvePath, sortedEntries, walkTree } from '@bootable/tree'
import type { EfiNames } from './names.ts'
import { compareVersions } from './versions.ts'

/** A file of the image that goes to the EFI system partition. */
export interface PayloadFile {
  /** Path in the sysroot. */
  readonly source: string
  /** Path on the EFI system partition, such as `EFI/BOOT/BOOTX64.EFI`. */
  readonly target: string
}

/** Where distributions keep shim and GRUB inside of an image, the preferred place first. */
export const EFI_COMPONENTS = 'usr/lib/efi'
const BOOTUPD_UPDATES = 'usr/lib/bootupd/updates'

/** The places of {@link findGrubPayload} as messages name them. */
export const GRUB_PLACES: readonly string[] = [`${EFI_COMPONENTS}/*/*/EFI`, `${BOOTUPD_UPDATES}/EFI`]

/** What was found of shim and GRUB. */
export interface GrubPayload {
  /** The place of {@link GRUB_PLACES} that it comes from. */
  readonly place: string
  /** What the EFI system partition will hold, sorted by target. */
  readonly files: readonly PayloadFile[]
  /**
   * The directory below `EFI` that belongs to the distribution: the one that holds shim, as bootupd
   * finds it. Missing where everything lies in `EFI/BOOT`.
   */
  readonly vendor?: string
}

/** Options of {@link findGrubPayload}. */
export interface GrubPayloadOptions {
  /**
   * Takes the way that a distribution's installed machines take: `EFI/BOOT` holds shim and its fallback
   * program. shim starts that, and it makes a boot entry in the firmware for every CSV file below `EFI`,
   * which names the shim beside it. Then it starts the first of them, or, where the machine has a TPM,
   * resets it, so that measurements begin anew.
   * @defaultValue false
   */
  readonly fallback?: boolean
}

/**
 * The shim and GRUB that an image ships, arranged so that a machine without boot entries of its own
 * starts them: through `EFI/BOOT`.
 *
 * `EFI/BOOT` is filled where the image leaves it empty: shim under the name that firmware looks for,
 * GRUB and MokManager beside it. shim's fallback program is left out there unless it is asked for: shim
 * would start it instead of GRUB, and a disk that many machines are made of should neither write into
 * their firmware nor reset them.
 */
export function findGrubPayload(
  tree: FileTree,
  names: EfiNames,
  options: GrubPayloadOptions = {},
): GrubPayload | undefined {
  for (const [index, found] of [findComponents(tree), listFiles(tree, BOOTUPD_UPDATES, ['EFI'])].entries()) {
    const files = mergeIgnoringCase(found)
    const vendor = vendorDirectory(files, names)
    const has = (name: string): boolean => files.has(`efi/boot/${name}`.toLowerCase())
    if (vendor === undefined && !(has(names.grub) && has(names.removable))) continue

    fillRemovable(files, names, vendor, options)
    const place = GRUB_PLACES[index] as string
    const sorted = [...files.values()].sort((a, b) => (a.target < b.target ? -1 : 1))
    return vendor === undefined ? { place, files: sorted } : { place, files: sorted, vendor }
  }
  return undefined
}

/** `usr/lib/efi/<name>/<version>/EFI`: the components over each other, of each the highest version. */
function findComponents(tree: FileTree): PayloadFile[] {
  const components = findDirectory(tree, EFI_COMPONENTS)
  if (!components) return []
  return sortedEntries(components).flatMap(([name, inode]) => {
    if (inode.type !== 'directory') return []
    const versions = sortedEntries(inode).filter(([, version]) => version.type === 'directory')
    const newest = versions
      .map(([version]) => version)
      .sort(compareVersions)
      .pop()
    return newest === undefined ? [] : listFiles(tree, `${EFI_COMPONENTS}/${name}/${newest}`, ['EFI'])
  })
}

/** The files below some directories of `base`. FAT has no links: a link counts as the file it leads to. */
function listFiles(tree: FileTree, base: string, directories: readonly string[]): PayloadFile[] {
  return directories.flatMap((directory) => {
    const root = findDirectory(tree, `${base}/${directory}`)
    if (!root) return []
    return [...walkTree({ root })].flatMap(({ path, inode }) => {
      const target = `${directory}/${path}`
      if (inode.type === 'file') return [{ source: `${base}/${target}`, target }]
      if (inode.type !== 'symlink') return []
      const found = resolvePath(tree, `${base}/${target}`)
      return found?.inode.type === 'file' ? [{ source: found.path, target }] : []
    })
  })
}

/** By lower-case target, as FAT compares names. Of two files with one name the later one counts. */
function mergeIgnoringCase(files: readonly PayloadFile[]): Map<string, PayloadFile> {
  return new Map(files.map((file) => [file.target.toLowerCase(), file]))
}

function vendorDirectory(files: ReadonlyMap<string, PayloadFile>, names: EfiNames): string | undefined {
  for (const program of [names.shim, names.grub]) {
    for (const { target } of files.values()) {
      const [efi, directory, name, ...rest] = target.split('/')
      const isVendor = efi?.toLowerCase() === 'efi' && directory?.toLowerCase() !== 'boot'
      if (isVendor && rest.length === 0 && name?.toLowerCase() === program) return directory
    }
  }
  return undefined
}

function fillRemovable(
  files: Map<string, PayloadFile>,
  names: EfiNames,
  vendor: string | undefined,
  { fallback = false }: GrubPayloadOptions,
): void {
  const boot = (name: string): string => `efi/boot/${name.toLowerCase()}`
  const copy = (name: string, as = name): void => {
    const original = files.get(`efi/${vendor?.toLowerCase()}/${name}`)
    if (original && !files.has(boot(as))) {
      files.set(boot(as), { source: original.source, target: `EFI/BOOT/${as}` })
    }
  }
  copy(names.shim, names.removable)
  if (fallback) {
    copy(names.fallback)
    return
  }
  copy(names.grub, names.removable) // an image without shim: GRUB is the first stage
  copy(names.grub)
  copy(names.mokManager)
  files.delete(boot(names.fallback))
}
