// The floor: one Node process that only inflates and hashes the layers of an OCI layout, compressed and
// uncompressed bytes both. It parses nothing and writes nothing.
import { createHash } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createGunzip } from 'node:zlib'

const layout = process.argv[2]
const blob = (digest) => join(layout, 'blobs', ...digest.split(':'))
const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'))
const manifest = JSON.parse(readFileSync(blob(index.manifests[0].digest), 'utf8'))
for (const { digest } of manifest.layers) {
  const [compressed, uncompressed] = [createHash('sha256'), createHash('sha256')]
  const input = createReadStream(blob(digest), { highWaterMark: 1024 * 1024 })
  input.on('data', (chunk) => compressed.update(chunk))
  for await (const chunk of input.pipe(createGunzip({ chunkSize: 512 * 1024 }))) uncompressed.update(chunk)
  if (`sha256:${compressed.digest('hex')}` !== digest) throw new Error(digest)
  uncompressed.digest()
}
