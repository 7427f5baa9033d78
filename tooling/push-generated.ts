// Pushes a generated blob from a process of its own and prints its digest and the most memory ever used, in MiB, as JSON:
//   tsx --conditions=@bootable/source tooling/push-generated.ts docker://HOST/REPOSITORY BYTES [unknown]
// With `unknown` the registry client is not told its digest, so that it goes in chunks. Certificates to trust
// come through NODE_EXTRA_CA_CERTS, which Node reads at its start only.
import { nodeRuntime } from '@bootable/bytes/node'
import { digestOf } from '@bootable/oci'
import { registryStore } from '@bootable/registry'
import { nodeRegistryOptions } from '@bootable/registry/node'

const [name = '', bytes = '', knowledge] = process.argv.slice(2)
const size = Number(bytes)

async function* generate(): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < size; offset += 1_048_576) {
    yield new Uint8Array(Math.min(1_048_576, size - offset)).fill(offset / 1_048_576)
  }
}

const hash = nodeRuntime.createHash('sha256')
for await (const chunk of generate()) hash.update(chunk)
const digest = digestOf('sha256', hash.digest())
const descriptor = { mediaType: 'application/octet-stream', digest, size }

const store = registryStore(name, nodeRegistryOptions())
const put = await store.putBlob(
  { open: async () => generate() },
  knowledge === 'unknown' ? {} : { descriptor },
)
if (put.digest !== digest || !(await store.hasBlob(descriptor))) throw new Error('it is not there')
await store.close()
const peak = Math.round(process.resourceUsage().maxRSS / 1024)
console.log(JSON.stringify({ digest, peak }))
