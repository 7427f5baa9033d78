// The least that a client of Node does: fetches, hashes and writes the blobs of an image, four at once, and
// retries, resumes, authorises and reports nothing:
//   registry-floor.mjs HOST REPOSITORY TAG FOLDER
import { createHash } from 'node:crypto'
import { mkdir, open } from 'node:fs/promises'
import http from 'node:http'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'

const [host, repository, tag, folder] = process.argv.slice(2)
const agent = new http.Agent({ keepAlive: true })
const WRITE = 1024 ** 2

function get(path, headers = {}) {
  const url = `http://${host}/v2/${repository}/${path}`
  return new Promise((resolve, reject) => http.get(url, { agent, headers }, resolve).on('error', reject))
}

async function save({ digest }) {
  const hash = createHash('sha256')
  const file = await open(join(folder, digest.slice('sha256:'.length)), 'w')
  let pieces = []
  let length = 0
  for await (const piece of await get(`blobs/${digest}`)) {
    hash.update(piece)
    pieces.push(piece)
    length += piece.length
    if (length < WRITE) continue
    await file.writev(pieces)
    pieces = []
    length = 0
  }
  if (length > 0) await file.writev(pieces)
  await file.close()
  if (`sha256:${hash.digest('hex')}` !== digest) throw new Error(`${digest} is damaged`)
}

await mkdir(folder)
const headers = { Accept: 'application/vnd.oci.image.manifest.v1+json' }
const { config, layers } = await json(await get(`manifests/${tag}`, headers))
await Promise.all([config, ...layers].map(save))
agent.destroy()
