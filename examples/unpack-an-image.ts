// An image's layers as one tree, without a container runtime; then what its upper layers changed.
import { nodeRuntime } from '@bootable/bytes/node'
import { openImage, unpackImage } from '@bootable/core'
import { diffTrees, dumpTree } from '@bootable/tree'
import { createSampleImage, SAMPLE_REFERENCE } from '../tooling/sample/sample-image.ts'

const image = await openImage(await createSampleImage(), SAMPLE_REFERENCE)
const tree = await unpackImage(image, { runtime: nodeRuntime })
for await (const line of dumpTree(tree, { runtime: nodeRuntime })) console.log(line)

const base = await unpackImage({ ...image, layers: image.layers.slice(0, 1) }, { runtime: nodeRuntime })
console.log(`\nsince the first of ${image.layers.length} layers:`)
for await (const { change, path, reasons } of diffTrees(base, tree))
  console.log(change, `/${path}`, ...reasons)
