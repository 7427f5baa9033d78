import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { memorySource, utf8 } from '@bootable/bytes'
import { digestBytes, indexTar } from '@bootable/oci'

/** What {@link makeStorage} puts into a storage. */
export interface StoredImage {
  readonly name: string
  /** Uncompressed tars, the base first. */
  readonly layers: readonly Uint8Array[]
}

/** A storage of the driver overlay, as podman keeps it. Unpacked are regular files alone: nothing else is read. */
export async function makeStorage(graph: string, images: readonly StoredImage[]): Promise<void> {
  const layerRecords = new Map<string, object>()
  const imageRecords: object[] = []
  mkdirSync(join(graph, 'overlay-layers'), { recursive: true })
  for (const { name, layers } of images) {
    let parent = ''
    for (const tar of layers) {
      const diffDigest = digestBytes(tar)
      const id = digestBytes(utf8(`${parent} ${diffDigest}`)).slice('sha256:'.length)
      layerRecords.set(id, {
        id,
        ...(parent !== '' && { parent }),
        'diff-digest': diffDigest,
        'diff-size': tar.length,
      })
      const lines = await disassemble(tar, join(graph, 'overlay', id, 'diff'))
      writeTarSplit(graph, id, lines)
      parent = id
    }
    const config = utf8(
      JSON.stringify({
        architecture: 'amd64',
        os: 'linux',
        config: { Labels: { name } },
        rootfs: { type: 'layers', diff_ids: layers.map((tar) => digestBytes(tar)) },
      }),
    )
    const configDigest = digestBytes(config)
    const manifest = utf8(
      JSON.stringify({
        schemaVersion: 2,
        config: {
          mediaType: 'application/vnd.oci.image.config.v1+json',
          digest: configDigest,
          size: config.length,
        },
        layers: [],
      }),
    )
    const id = configDigest.slice('sha256:'.length)
    const folder = join(graph, 'overlay-images', id)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'manifest'), manifest)
    writeFileSync(join(folder, `=${Buffer.from(configDigest).toString('base64')}`), config)
    imageRecords.push({ id, names: [name], layer: parent, 'big-data-names': ['manifest', configDigest] })
  }
  writeFileSync(join(graph, 'overlay-images', 'images.json'), JSON.stringify(imageRecords))
  writeFileSync(join(graph, 'overlay-layers', 'layers.json'), JSON.stringify([...layerRecords.values()]))
}

/** Writes the record of a layer from its lines. */
export function writeTarSplit(graph: string, id: string, lines: readonly object[]): void {
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
  writeFileSync(join(graph, 'overlay-layers', `${id}.tar-split.gz`), gzipSync(text))
}

/** Unpacks the files of a tar and answers with what else it consists of. */
async function disassemble(tar: Uint8Array, folder: string): Promise<object[]> {
  const lines: object[] = []
  let end = 0
  const segment = (until: number): void => {
    lines.push({ type: 2, payload: Buffer.from(tar.subarray(end, until)).toString('base64') })
    end = until
  }
  mkdirSync(folder, { recursive: true })
  for (const { type, path, offset, size } of await indexTar(memorySource(tar))) {
    if (type !== 'file' || size === 0) continue
    segment(offset)
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), tar.subarray(offset, offset + size))
    lines.push({ type: 1, name: path, size, payload: 'AAAAAAAAAAA=' })
    end += size
  }
  segment(tar.length)
  return lines
}
