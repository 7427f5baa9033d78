// An image is pushed, gets a layer more, and is compared with what it was. The registry lives in this process;
// leave `transport` out, and it is one out in the world.
import { copyImage, diffImages, editImage, openImage, writeLayerTar } from '@bootable/oci'
import { openRegistry } from '@bootable/registry'
import { createTestRegistry } from '@bootable/registry/testing'
import { createFile, createTree, putInode } from '@bootable/tree'
import { createSampleImage, SAMPLE_REFERENCE } from '../tooling/sample/sample-image.ts'

const registry = openRegistry({ transport: createTestRegistry().transport })
const repository = registry.repository('registry.example/lab/machine')
await copyImage({ store: await createSampleImage(), reference: SAMPLE_REFERENCE }, repository, '1')

const before = await openImage(repository, '1')
const layer = createTree()
putInode(layer, 'etc/motd', createFile('welcome\n'))
const changes = {
  appendLayers: [{ open: () => writeLayerTar(layer) }],
  labels: { 'org.opencontainers.image.version': '2' },
}
const { digest } = await editImage(before, changes, repository, { reference: '2' })
console.log(`docker://registry.example/lab/machine:2 is ${digest}`)

const difference = diffImages(before, await openImage(repository, '2'))
console.log(`${difference.sharedLayers.length} layers are shared, ${difference.fetchSize} bytes to fetch`)
for await (const { change, path } of difference.files()) console.log(change, path)
for await (const tag of repository.tags()) console.log('tag', tag)
await registry.close()
