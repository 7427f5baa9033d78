import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * shim, GRUB and systemd-boot of Debian for aarch64, in the folder `trixie-arm64-boot` below that which
 * `BOOTABLE_FIXTURE` names; `arm64-boot-files.sh` fetches them.
 */
const FOLDER = 'trixie-arm64-boot'

/** What is needed of them, by the name that it has on a disk. */
const FILES = {
  'shimaa64.efi': 'usr/lib/shim/shimaa64.efi.signed',
  'grubaa64.efi': 'usr/lib/grub/arm64-efi-signed/grubaa64.efi.signed',
  'systemd-bootaa64.efi': 'usr/lib/systemd/boot/efi/systemd-bootaa64.efi',
} as const

/** Contents by name. */
export type Arm64BootFiles = Readonly<Record<keyof typeof FILES, Uint8Array>>

/** Reads the files. Where they are missing a line says so; where `CI` is set it is an error. */
export function findArm64BootFiles(): (() => Promise<Arm64BootFiles>) | undefined {
  const parent = process.env.BOOTABLE_FIXTURE
  const read = (name: keyof typeof FILES): Promise<Uint8Array> => readFile(pathOf(parent ?? '', name))
  const names = Object.keys(FILES) as (keyof typeof FILES)[]
  if (parent !== undefined && names.every((name) => existsSync(pathOf(parent, name)))) {
    return async () => ({
      'shimaa64.efi': await read('shimaa64.efi'),
      'grubaa64.efi': await read('grubaa64.efi'),
      'systemd-bootaa64.efi': await read('systemd-bootaa64.efi'),
    })
  }
  const message = `the fixture ${FOLDER} is missing (BOOTABLE_FIXTURE=${parent ?? 'unset'})`
  if (process.env.CI) throw new Error(message)
  console.warn(`tests skipped: ${message}`)
  return undefined
}

function pathOf(parent: string, name: keyof typeof FILES): string {
  return join(parent, FOLDER, FILES[name])
}
