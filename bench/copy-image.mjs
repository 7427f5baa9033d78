// Copies an image between a layout and a registry, with the two packages that this takes:
//   copy-image.mjs pull NAME FOLDER
//   copy-image.mjs push FOLDER NAME
import { nodeRuntime } from '@bootable/bytes/node'
import { copyImage } from '@bootable/oci'
import { createLayout, openLayout } from '@bootable/oci/node'
import { registryStore } from '@bootable/registry'
import { nodeRegistryOptions } from '@bootable/registry/node'

const [verb, from, to] = process.argv.slice(2)
const open = (name) => registryStore(name, { ...nodeRegistryOptions(), insecure: true })
const options = { runtime: nodeRuntime }

const source = verb === 'pull' ? open(from) : await openLayout(from, options)
const target = verb === 'pull' ? await createLayout(to, options) : open(to)
await copyImage({ store: source, reference: '' }, target, '1')
await source.close?.()
await target.close?.()
