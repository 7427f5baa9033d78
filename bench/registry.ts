// Pull and push over the loopback interface beside skopeo, and crane where it is installed, in turns in the same
// run, against the real docker-registry:
//   npx tsx --conditions=@bootable/source bench/registry.ts [--runs 5] [--layers 4] [--size 50] (MiB of one layer)
// The floor is a client of Node that does nothing but fetch, hash and write. Layers are noise, which no program can compress or skip. Every pull goes to a new layout, every push to a new
// registry.
import { createHash, randomBytes } from 'node:crypto'
import { createWriteStream, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { createGzip } from 'node:zlib'
import { MEDIA_TYPE } from '@bootable/oci'
import { startDockerRegistry } from '../tooling/docker-registry.ts'
import { findTool, runOk } from '../tooling/oracles.ts'
import { type Cost, measure } from './measure.ts'
import { measureInTurns, measureScript, printTable } from './report.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    layers: { type: 'string', default: '4' },
    size: { type: 'string', default: '50' },
  },
})
const MiB = 1024 ** 2
const folder = mkdtempSync(join(tmpdir(), 'bootable-bench-'))
const source = join(folder, 'source')
const { host, close } = await startDockerRegistry()
let count = 0

/** A folder that nobody has written to yet. */
const fresh = (): string => `new-${count++}`

try {
  await writeImage(Number(values.layers), Number(values.size) * MiB)
  const image = `docker://${host}/lab/image:1`
  await runOk('skopeo', ['copy', '--dest-tls-verify=false', `oci:${source}`, image])
  const subjects: Record<string, () => Promise<Cost>> = {
    'our pull': () => pulled((to) => measureScript('./copy-image.mjs', ['pull', image, to])),
    'skopeo pull': () =>
      pulled((to) => measure('skopeo', ['copy', '--src-tls-verify=false', image, `oci:${to}:1`])),
    'floor pull': () => pulled((to) => measureScript('./registry-floor.mjs', [host, 'lab/image', '1', to])),
    'our push': () => pushed((to) => measureScript('./copy-image.mjs', ['push', source, `docker://${to}`])),
    'skopeo push': () =>
      pushed((to) =>
        measure('skopeo', ['copy', '--dest-tls-verify=false', `oci:${source}`, `docker://${to}`]),
      ),
  }
  if (findTool('crane')) {
    subjects['crane pull'] = () =>
      pulled((to) => measure('crane', ['pull', '--insecure', '--format', 'oci', `${host}/lab/image:1`, to]))
    subjects['crane push'] = () => pushed((to) => measure('crane', ['push', '--insecure', source, to]))
  }
  const results = await measureInTurns(subjects, Number(values.runs))
  printTable(results, '× skopeo', (name) => `skopeo ${name.split(' ')[1]}`)
} finally {
  await close()
  rmSync(folder, { recursive: true, force: true })
}

/** To a registry of its own: skopeo remembers where it has put a blob, and would mount it from there. */
async function pushed(push: (name: string) => Promise<Cost>): Promise<Cost> {
  const registry = await startDockerRegistry()
  try {
    return await push(`${registry.host}/lab/image:1`)
  } finally {
    await registry.close()
  }
}

async function pulled(pull: (folder: string) => Promise<Cost>): Promise<Cost> {
  const to = join(folder, fresh())
  try {
    return await pull(to)
  } finally {
    rmSync(to, { recursive: true, force: true })
  }
}

/** An OCI layout with one image, whose layers are no tars: nobody here looks into them. */
async function writeImage(layers: number, size: number): Promise<void> {
  const blobs = join(source, 'blobs/sha256')
  mkdirSync(blobs, { recursive: true })
  const noises: Noise[] = []
  for (let layer = 0; layer < layers; layer++) noises.push(await writeNoise(blobs, size))
  const store = (document: object): { digest: string; size: number } => {
    const text = JSON.stringify(document)
    const encoded = createHash('sha256').update(text).digest('hex')
    writeFileSync(join(blobs, encoded), text)
    return { digest: `sha256:${encoded}`, size: text.length }
  }
  const rootfs = { type: 'layers', diff_ids: noises.map(({ diffId }) => diffId) }
  const config = { mediaType: MEDIA_TYPE.config, ...store({ architecture: 'amd64', os: 'linux', rootfs }) }
  const descriptors = noises.map(({ digest, size }) => ({ mediaType: MEDIA_TYPE.layerGzip, digest, size }))
  const manifest = { schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, config, layers: descriptors }
  const root = { mediaType: MEDIA_TYPE.manifest, ...store(manifest) }
  writeFileSync(join(source, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  writeFileSync(join(source, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [root] }))
}

interface Noise {
  readonly digest: string
  readonly diffId: string
  readonly size: number
}

/** Noise in gzip's clothes, or skopeo would compress it on its way. */
async function writeNoise(blobs: string, length: number): Promise<Noise> {
  const path = join(blobs, `noise-${fresh()}`)
  const [plain, packed] = [createHash('sha256'), createHash('sha256')]
  let size = 0
  async function* noise(): AsyncGenerator<Uint8Array> {
    for (let done = 0; done < length; done += MiB) {
      const piece = randomBytes(Math.min(MiB, length - done))
      plain.update(piece)
      yield piece
    }
  }
  async function* counted(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      packed.update(chunk)
      size += chunk.length
      yield chunk
    }
  }
  await pipeline(noise, createGzip({ level: 0 }), counted, createWriteStream(path))
  const encoded = packed.digest('hex')
  renameSync(path, join(blobs, encoded))
  return { digest: `sha256:${encoded}`, diffId: `sha256:${plain.digest('hex')}`, size }
}
