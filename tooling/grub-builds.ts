import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readAll } from '@bootable/bytes'
import { openImageSource } from '@bootable/core/node'
import { unpackImage } from '@bootable/oci'
import { temporaryLayerCache } from '@bootable/oci/node'
import { createFile, createTree, type FileTree, findDirectory, putInode, sortedEntries } from '@bootable/tree'
import { findFixture } from './fixture.ts'

/** Where GRUB's files lie, in trees and below folders, by what starts them. */
export const GRUB_PLACES = { bios: 'usr/lib/grub/i386-pc', uefi: 'usr/lib/grub/x86_64-efi' } as const
export const GRUB_MODULES = GRUB_PLACES.bios

/** A build of GRUB. */
export interface GrubBuild {
  /** Its version, and where it is from. */
  readonly name: string
  readonly isThere: boolean
  /** A tree with its modules and its font. */
  load(): Promise<FileTree>
}

/** GRUB 2.06 of this machine (Debian 12), 2.12 of a fixture image, 2.14 of the oracle tree. */
export function grubBuilds(firmware: keyof typeof GRUB_PLACES = 'bios'): readonly GrubBuild[] {
  const place = GRUB_PLACES[firmware]
  const fixture = findFixture('trixie-minimal')
  const oracleRoot = process.env.BOOTABLE_ORACLE_ROOT ?? ''
  return [
    fromFolder('of this machine', '/', place),
    {
      name: 'GRUB 2.12 of trixie-minimal',
      isThere: fixture !== undefined,
      load: () => fromImage(`oci-archive:${fixture?.archive}`, place),
    },
    fromFolder('of the oracle tree', oracleRoot, place),
  ]
}

function fromFolder(origin: string, root: string, place: string): GrubBuild {
  const folder = join(root, place)
  const information = join(folder, 'modinfo.sh')
  const isThere = root !== '' && existsSync(information)
  if (!isThere) {
    const message = `the modules of GRUB ${origin} are missing: ${folder}`
    if (process.env.CI) throw new Error(message)
    console.warn(`tests skipped: ${message}`)
  }
  const version = isThere && /^grub_version="(.+)"$/m.exec(readFileSync(information, 'utf8'))?.[1]
  return {
    name: `GRUB ${version || '?'} ${origin}`,
    isThere,
    async load() {
      const tree = createTree()
      for (const { name } of readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile())) {
        putInode(tree, `${place}/${name}`, createFile(readFileSync(join(folder, name))))
      }
      const font = join(root, 'usr/share/grub/unicode.pf2')
      if (existsSync(font)) putInode(tree, 'usr/share/grub/unicode.pf2', createFile(readFileSync(font)))
      return tree
    },
  }
}

async function fromImage(source: string, place: string): Promise<FileTree> {
  const opened = await openImageSource(source)
  const cache = temporaryLayerCache()
  try {
    const image = await unpackImage(opened.image, { cache })
    const tree = createTree()
    for (const [path, data] of await readFiles(image, place)) {
      putInode(tree, `${place}/${path}`, createFile(data))
    }
    return tree
  } finally {
    await cache.close()
    await opened.close()
  }
}

async function readFiles(tree: FileTree, place: string): Promise<[name: string, data: Uint8Array][]> {
  const directory = findDirectory(tree, place)
  const files: [string, Uint8Array][] = []
  for (const [name, inode] of directory ? sortedEntries(directory) : []) {
    if (inode.type === 'file') files.push([name, await readAll(inode.content)])
  }
  return files
}

/** Writes the modules of a tree into a folder, for `grub-mkimage --directory`. */
export async function saveModules(
  tree: FileTree,
  folder: string,
  firmware: keyof typeof GRUB_PLACES = 'bios',
): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [name, data] of await readFiles(tree, GRUB_PLACES[firmware]))
    await writeFile(join(folder, name), data)
}
