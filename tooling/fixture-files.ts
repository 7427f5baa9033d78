import { readAll } from '@bootable/bytes'
import { openImageSource } from '@bootable/core/node'
import { unpackImage } from '@bootable/oci'
import { temporaryLayerCache } from '@bootable/oci/node'
import { createFile, createTree, type FileTree, findDirectory, putInode, walkTree } from '@bootable/tree'
import type { Fixture } from './fixture.ts'

/** The regular files below some folders of a fixture image, in memory: the image is closed again. */
export async function readFixtureFiles(fixture: Fixture, folders: readonly string[]): Promise<FileTree> {
  const opened = await openImageSource(`oci-archive:${fixture.archive}`)
  const cache = temporaryLayerCache()
  try {
    const image = await unpackImage(opened.image, { cache })
    const tree = createTree()
    for (const folder of folders) {
      const root = findDirectory(image, folder)
      for (const { path, inode } of root ? walkTree({ root }) : []) {
        if (inode.type !== 'file') continue
        putInode(tree, `${folder}/${path}`, createFile(await readAll(inode.content)))
      }
    }
    return tree
  } finally {
    await cache.close()
    await opened.close()
  }
}
