import { existsSync, readFileSync } from 'node:fs'
import { readAll } from '@bootable/bytes'
import { openImageSource } from '@bootable/core/node'
import { unpackImage } from '@bootable/oci'
import { temporaryLayerCache } from '@bootable/oci/node'
import { createFile, createTree, type FileTree, findDirectory, putInode, walkTree } from '@bootable/tree'
import { findFixture } from './fixture.ts'
import { grubBuilds } from './grub-builds.ts'

/** What an image ships that starts by both kinds of firmware. */
export interface GrubPayload {
  /** Its version, and where it is from. */
  readonly name: string
  readonly isThere: boolean
  /** A tree with shim and GRUB for UEFI and GRUB's modules for a BIOS, in memory. */
  load(): Promise<FileTree>
}

/** Debian's signed shim and GRUB: 2.06 of this machine (Debian 12), 2.12 and 2.14 of fixture images. */
export function grubPayloads(): readonly GrubPayload[] {
  return [ofThisMachine(), ofFixture('GRUB 2.12', 'trixie-minimal'), ofFixture('GRUB 2.14', 'forky-minimal')]
}

/** What Debian's packages shim-signed and grub-efi-amd64-signed put onto a machine, as an image ships it. */
const SIGNED: Readonly<Record<string, string>> = {
  'debian/shimx64.efi': '/usr/lib/shim/shimx64.efi.signed',
  'debian/fbx64.efi': '/usr/lib/shim/fbx64.efi.signed',
  'debian/mmx64.efi': '/usr/lib/shim/mmx64.efi.signed',
  'debian/BOOTX64.CSV': '/usr/lib/shim/BOOTX64.CSV',
  'debian/grubx64.efi': '/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed',
}

const EFI = 'usr/lib/bootupd/updates/EFI'

function ofThisMachine(): GrubPayload {
  const missing = Object.values(SIGNED).filter((path) => !existsSync(path))
  if (missing.length > 0) {
    const message = `the signed GRUB of this machine is missing: ${missing.join(', ')}`
    if (process.env.CI) throw new Error(message)
    console.warn(`tests skipped: ${message}`)
  }
  const [build] = grubBuilds()
  return {
    name: `signed ${build?.name}`,
    isThere: missing.length === 0 && build?.isThere === true,
    async load() {
      const tree = (await build?.load()) ?? createTree()
      for (const [target, path] of Object.entries(SIGNED)) {
        putInode(tree, `${EFI}/${target}`, createFile(readFileSync(path)))
      }
      return tree
    },
  }
}

/** The parts of an image that a boot loader is installed from. */
const PARTS = ['usr/lib/bootupd', 'usr/lib/grub/i386-pc', 'usr/share/grub']

function ofFixture(version: string, name: string): GrubPayload {
  const fixture = findFixture(name)
  return {
    name: `signed ${version} of ${name}`,
    isThere: fixture !== undefined,
    async load() {
      const opened = await openImageSource(`oci-archive:${fixture?.archive}`)
      const cache = temporaryLayerCache()
      try {
        return await copyParts(await unpackImage(opened.image, { cache }))
      } finally {
        await cache.close()
        await opened.close()
      }
    },
  }
}

async function copyParts(image: FileTree): Promise<FileTree> {
  const tree = createTree()
  for (const part of PARTS) {
    const root = findDirectory(image, part)
    for (const { path, inode } of root ? walkTree({ root }) : []) {
      if (inode.type === 'file') putInode(tree, `${part}/${path}`, createFile(await readAll(inode.content)))
    }
  }
  return tree
}
