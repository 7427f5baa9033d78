import { createFile, ensureDirectory, findDirectory, findFile, putInode, sortedEntries } from '@bootable/tree'
import { quoteGrubWord } from '../grub/quote.ts'
import type { Installation } from '../installation.ts'

/** What grub-install copies besides modules and lists, where it is there. */
const OTHER_FILES = ['efiemu32.o', 'efiemu64.o', 'modinfo.sh']

/** The only font that grub-install copies unless it is told otherwise. */
const FONT = 'unicode.pf2'

/**
 * With what an image of GRUB finds its files: it looks for the UUID of their filesystem. The commands are run
 * by the parser of GRUB's rescue shell, which knows no more than these.
 *
 * @param directory GRUB's directory in the sysroot, such as `boot/grub2`
 */
export function whereFilesAre(
  { places }: Installation,
  directory: string,
): { readonly config: string; readonly prefix: string } {
  const prefix = places.bootPrefix + directory.slice('boot'.length)
  const config = `search.fs_uuid ${places.bootUuid} root\nset prefix=($root)${quoteGrubWord(prefix)}\n`
  return { config, prefix }
}

/**
 * Copies modules, lists and the font into GRUB's directory, as grub-install does. Contents are shared with
 * the image's files.
 *
 * @param place where the image has them, such as `usr/lib/grub/i386-pc`
 * @param target where they go in the sysroot, such as `boot/grub2/i386-pc`
 */
export function copyPlatform({ system, clock }: Installation, place: string, target: string): void {
  const copy = (source: string, path: string): void => {
    const file = findFile(system.root, source)
    if (!file) return
    ensureDirectory(system.sysroot, path.slice(0, path.lastIndexOf('/')), { mtime: clock })
    putInode(system.sysroot, path, createFile(file.content, { mtime: clock }))
  }
  const found = findDirectory(system.root, place)
  for (const [name] of found ? sortedEntries(found) : []) {
    if (/\.(?:mod|lst)$/.test(name) || OTHER_FILES.includes(name))
      copy(`${place}/${name}`, `${target}/${name}`)
  }
  copy(`usr/share/grub/${FONT}`, `${target.slice(0, target.lastIndexOf('/'))}/fonts/${FONT}`)
}
