import { FormatError } from '@bootable/bytes'
import type { InstalledSystem, SystemWarning } from '@bootable/system'
import { type FileTree, findFile } from '@bootable/tree'
import type { BootloaderChoice } from '../choose.ts'
import { findSection, readPe } from '../pe/reader.ts'
import { efiNames } from './names.ts'
import type { PayloadFile } from './payload.ts'

/** Something in the chain from the firmware to the kernel. */
export interface BootProgram {
  /** Path on the EFI system partition, or in the running machine where it begins with `/`. */
  readonly path: string
  /** Whether it carries a signature. Nobody has verified it. */
  readonly isSigned: boolean
}

/** What firmware with Secure Boot will make of a disk. */
export interface SecureBootFacts {
  /**
   * * `signed`: every program has a signature, the kernel too
   * * `unsigned-kernel`: the boot loader will start, and refuse the kernel
   * * `unsigned`: the firmware, or shim, will refuse the boot loader; or it is a GRUB without shim, which
   *   starts no kernel
   */
  readonly chain: 'signed' | 'unsigned-kernel' | 'unsigned'
  /** In the order in which they start each other; the kernel, or a unified kernel image, is the last. */
  readonly programs: readonly BootProgram[]
  /** shim comes first, which Microsoft signs. Without it the firmware needs the keys of who has signed. */
  readonly hasShim: boolean
}

interface Program extends BootProgram {
  /** GRUB keeps its modules in a section of that name. */
  readonly isGrub: boolean
}

/**
 * Looks for signatures in the programs that start each other. `undefined` where none is started by UEFI.
 * @throws BootableError where a program cannot be read
 */
export async function describeSecureBoot(
  system: InstalledSystem,
  choice: BootloaderChoice,
): Promise<SecureBootFacts | undefined> {
  const made = madeProgram(system, choice)
  const loaders = await Promise.all(
    startOrder(system, choice).map(({ source, target }) => inspect(system.root, source, target)),
  )
  if (loaders.length === 0 && made === undefined) return undefined
  const ownGrub = choice.kind === 'grub' && made !== undefined ? [made] : []
  const kernel =
    choice.kind === 'uki'
      ? (made ?? (await inspect(system.root, shippedUki(choice), `EFI/Linux/${choice.name}`)))
      : await inspect(system.root, system.kernel.vmlinuz, `/${system.kernel.vmlinuz}`)

  const first = loaders[0]
  const hasShim = choice.kind === 'grub' && first !== undefined && !first.isGrub
  const areLoadersSigned =
    ownGrub.length === 0 && loaders.every(({ isSigned }) => isSigned) && (choice.kind !== 'grub' || hasShim)
  const withKernel = kernel.isSigned ? 'signed' : 'unsigned-kernel'
  return {
    chain: areLoadersSigned ? withKernel : 'unsigned',
    programs: [...ownGrub, ...loaders, kernel].map(({ path, isSigned }) => ({ path, isSigned })),
    hasShim,
  }
}

/** What this project makes itself, and so is not signed. */
function madeProgram(system: InstalledSystem, choice: BootloaderChoice): Program | undefined {
  if (choice.kind === 'grub' && choice.efi !== undefined) {
    const path = `EFI/BOOT/${efiNames(system.architecture).removable}`
    return { path, isSigned: false, isGrub: true }
  }
  if (choice.kind !== 'uki' || 'shipped' in choice.from) return undefined
  return { path: `EFI/Linux/${choice.name}`, isSigned: false, isGrub: false }
}

function shippedUki(choice: Extract<BootloaderChoice, { kind: 'uki' }>): string {
  return 'shipped' in choice.from ? choice.from.shipped : ''
}

/** The programs that the image ships, in the order in which they start each other. */
function startOrder({ architecture }: InstalledSystem, choice: BootloaderChoice): PayloadFile[] {
  if (choice.files.length === 0) return []
  const names = efiNames(architecture)
  const find = (path: string): PayloadFile[] =>
    choice.files.filter(({ target }) => target.toLowerCase() === `efi/${path}`.toLowerCase()).slice(0, 1)
  const first = find(`BOOT/${names.removable}`)
  if (choice.kind !== 'grub') return first
  const fallback = find(`BOOT/${names.fallback}`)
  const next =
    fallback.length > 0
      ? [...fallback, ...find(`${choice.vendor}/${names.shim}`), ...find(`${choice.vendor}/${names.grub}`)]
      : find(`BOOT/${names.grub}`)
  // Where the image has no shim, GRUB stands there under both names.
  return [...first, ...next.filter(({ source }) => source !== first[0]?.source)]
}

async function inspect(root: FileTree, source: string, path: string): Promise<Program> {
  const file = findFile(root, source)
  try {
    const image = file && (await readPe(file.content))
    return {
      path,
      isSigned: image?.certificates !== undefined,
      isGrub: image !== undefined && findSection(image, 'mods') !== undefined,
    }
  } catch (error) {
    // A kernel without an EFI stub, or compressed: no firmware and no shim will verify it.
    if (error instanceof FormatError) return { path, isSigned: false, isGrub: false }
    throw error
  }
}

/** What stands between a disk and Secure Boot, for those who demand it. */
export function warnOfSecureBoot(facts: SecureBootFacts | undefined): SystemWarning[] {
  if (!facts) {
    return [
      { message: 'Secure Boot is demanded, but the disk does not start by UEFI: a BIOS verifies nothing' },
    ]
  }
  const { chain, programs, hasShim } = facts
  const kernel = programs.at(-1)?.path
  if (chain === 'unsigned-kernel') {
    return [
      {
        message: `Secure Boot is demanded, but the kernel ${kernel} is not signed: the boot loader will refuse it`,
        hint: "install the distribution's signed kernel in the image, or sign this one there",
      },
    ]
  }
  if (chain === 'unsigned') {
    const unsigned = programs.filter(({ isSigned }) => !isSigned).map(({ path }) => path)
    const why = unsigned.length > 0 ? `${unsigned.join(', ')} not signed` : 'GRUB has no shim before it'
    return [
      {
        message: `Secure Boot is demanded, but the chain of signatures is not complete (${why}): the machine will not start`,
        hint: 'install signed shim and GRUB in the image, and a signed kernel',
      },
    ]
  }
  if (hasShim) return []
  return [
    {
      message: `Secure Boot is demanded, and ${programs[0]?.path} is signed, but shim does not stand before it`,
      hint: 'enrol the keys of who has signed it in the firmware of the machines',
    },
  ]
}
