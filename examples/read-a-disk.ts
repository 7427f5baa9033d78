// Reads a file out of a disk, through qcow2, partition table and ext4, without mounting anything.
import { readAll } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { buildDisk, memoryOutput, openDisk, openImage } from '@bootable/core'
import { readDiskTree } from '@bootable/disk'
import { readQcow2 } from '@bootable/disk/qcow2'
import { findFile, walkTree } from '@bootable/tree'
import { createSampleImage, SAMPLE_REFERENCE } from '../tooling/sample/sample-image.ts'

const image = await openImage(await createSampleImage(), SAMPLE_REFERENCE)
const output = memoryOutput('qcow2')
await buildDisk({ image, outputs: [output], size: 'minimum', runtime: nodeRuntime })

const disk = await openDisk(await readQcow2(output.device(), { runtime: nodeRuntime }))
const tree = await readDiskTree(disk)
const fstab = findFile(tree, 'etc/fstab')
if (!fstab) throw new Error('the disk has no fstab')
console.log(new TextDecoder().decode(await readAll(fstab.content)))
for (const { path, inode } of walkTree(tree)) {
  if (path.startsWith('boot/')) console.log(inode.type, `/${path}`)
}
