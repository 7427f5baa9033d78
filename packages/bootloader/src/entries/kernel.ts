import { BootableError } from '@bootable/bytes'
import type { InstalledSystem } from '@bootable/system'
import type { RegularFile } from '@bootable/tree'
import { findFile } from '@bootable/tree'
import type { BootloaderErrorCode } from '../errors.ts'

/** The kernel as files, and the names under which menus and entries show it. */
export interface BootKernel {
  readonly version: string
  readonly vmlinuz: RegularFile
  readonly initramfs?: RegularFile
  /** `ID` of os-release(5): the entry token that kernel-install(8) calls `os-id`. */
  readonly token: string
  /** `IMAGE_ID` or `ID` of os-release(5): entries of one system stand together in a menu. */
  readonly sortKey: string
  /** `PRETTY_NAME` of os-release(5), for people. */
  readonly title: string
}

/** `NAME` of os-release(5): what stays the same from version to version. */
export function systemName(osRelease: InstalledSystem['osRelease']): string {
  return oneLine(osRelease.NAME || osRelease.ID || 'Linux')
}

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a title is one line
  return text.replace(/[\x00-\x1f\x7f]+/g, ' ')
}

/** What may be a file name, and a sort key (Boot Loader Specification). */
const NAMES = /^[\w.-]+$/

/** The first part of the names of boot entries. */
export function entryToken({ ID = '' }: InstalledSystem['osRelease']): string {
  return NAMES.test(ID) ? ID : 'linux'
}

/** Finds the kernel. @throws BootableError `BOOTLOADER_NO_KERNEL` or `BOOTLOADER_TEXT_INVALID` */
export function findKernel({ root, kernel, osRelease }: InstalledSystem): BootKernel {
  // The version becomes a file name on FAT and a word in two configuration languages.
  if (!/^[\w.+~-]+$/.test(kernel.version)) {
    throw new BootableError<BootloaderErrorCode>(
      'BOOTLOADER_TEXT_INVALID',
      `not a kernel version: ${JSON.stringify(kernel.version)}`,
      { details: { version: kernel.version }, hint: 'letters, digits and . _ + ~ - are allowed' },
    )
  }
  const file = (path: string): RegularFile => {
    const found = findFile(root, path)
    if (found) return found
    throw new BootableError<BootloaderErrorCode>('BOOTLOADER_NO_KERNEL', `there is no file /${path}`, {
      details: { path },
    })
  }
  const { IMAGE_ID = '', PRETTY_NAME, NAME } = osRelease
  const token = entryToken(osRelease)
  return {
    version: kernel.version,
    vmlinuz: file(kernel.vmlinuz),
    ...(kernel.initramfs !== undefined && { initramfs: file(kernel.initramfs) }),
    token,
    sortKey: NAMES.test(IMAGE_ID) ? IMAGE_ID : token,
    title: oneLine(PRETTY_NAME || NAME || 'Linux'),
  }
}
