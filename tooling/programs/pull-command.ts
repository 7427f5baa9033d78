// Pulls with `fetch` and with the transport of `@bootable/registry/node`, pushes, and prints what it found and where it ran
// as JSON:
//   pull-command.mjs NAME
import { openImage, putImage, writeLayerTar } from '@bootable/oci'
import { openRegistry } from '@bootable/registry'
import { nodeRegistryOptions } from '@bootable/registry/node'
import { createFile, createTree, putInode } from '@bootable/tree'
import { pull } from './pull.ts'

const [name = ''] = process.argv.slice(2)
const byFetch = await pull(name)
const byNode = await pull(name, nodeRegistryOptions())

const registry = openRegistry(nodeRegistryOptions())
const repository = registry.repository(name)
const tree = createTree()
putInode(tree, 'etc/hostname', createFile('pushed\n'))
const pushed = await putImage(repository, { layers: [() => writeLayerTar(tree)] }, { reference: 'pushed' })
const again = await openImage(repository, 'pushed')
await registry.close()

const agent = globalThis.navigator?.userAgent ?? `Node.js/${process.versions.node}`
console.log(
  JSON.stringify({ agent, byFetch, byNode, pushed: [pushed.digest, again.manifest.descriptor.digest] }),
)
