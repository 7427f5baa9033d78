import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BootableError, utf8 } from '@bootable/bytes'
import { makeFolder, openFileSource, writeOutputFile } from '@bootable/bytes/node'
import type { CachedLayer, LayerCache } from '../layer/cache.ts'
import { decodeMembers, encodeMembers } from '../layer/member-index.ts'
import type { TarMember } from '../layer/tar-format.ts'
import { type Digest, splitDigest } from '../wire/digest.ts'
import { createLayerFile } from './layer-file.ts'

/** First line of an index file: what the rest and the tar beside it must be. */
interface IndexHead {
  readonly format: 'bootable-layer-index'
  readonly version: 1
  readonly diffId: Digest
  /** Bytes of the uncompressed tar. */
  readonly size: number
  /** Of all lines that follow. */
  readonly sha256: string
}

/** A `.partial` file that nobody has written to for a day belongs to a process that was killed. */
const STALE = 24 * 60 * 60 * 1000

/**
 * A cache that is kept from one build to the next: `<algorithm>/<digits>.tar` and, beside it,
 * `<digits>.index`. The folder is made where it is missing.
 *
 * A layer counts as present when its index is whole and the tar has the size that the index says; the tar is
 * not hashed again, so give the folder to nobody who must not change what is built from it. Both files take
 * their names only when complete, the index last.
 */
export function folderLayerCache(folder: string): LayerCache {
  const layers = new Map<Digest, CachedLayer>()
  const paths = (diffId: Digest): { area: string; tar: string; index: string } => {
    const { algorithm, encoded } = splitDigest(diffId)
    const area = join(folder, algorithm)
    return { area, tar: join(area, `${encoded}.tar`), index: join(area, `${encoded}.index`) }
  }
  /** Two builds may open one layer at once. Each goes on with its own; all are closed in the end. */
  const opened: CachedLayer[] = []
  const keep = (diffId: Digest, layer: CachedLayer): CachedLayer => {
    opened.push(layer)
    layers.set(diffId, layer)
    return layer
  }

  return {
    async open(diffId) {
      const known = layers.get(diffId)
      if (known) return known
      const { tar, index } = paths(diffId)
      const read = await readIndex(index, diffId)
      if (!read) return undefined
      const content = await openTar(tar, read.size)
      return content && keep(diffId, { content, members: read.members })
    },
    async create(diffId) {
      const { area, tar, index } = paths(diffId)
      await prepare(area)
      const partial = `${tar}.${randomBytes(4).toString('hex')}.partial`
      const file = await createLayerFile(partial)
      return {
        write: file.write,
        async commit(members) {
          const content = await file.finish()
          const lines = encodeIndex(diffId, content.size, members)
          await writeOutputFile(index, async (device) => {
            let offset = 0
            for (const line of lines) {
              await device.write(offset, line)
              offset += line.length
            }
            await rename(partial, tar)
          })
          return keep(diffId, { content, members })
        },
        abort: file.discard,
      }
    },
    async close() {
      layers.clear()
      await Promise.all(opened.splice(0).map(({ content }) => content.close?.()))
    },
  }
}

/** Options of {@link temporaryLayerCache}. */
export interface TemporaryLayerCacheOptions {
  /** The folder to make it in. @defaultValue the system's folder for temporary files */
  readonly folder?: string
}

/**
 * A cache for one build. Its files lose their names as soon as they are made, so that nothing stays behind
 * whatever happens to the process; closing it gives their space back.
 */
export function temporaryLayerCache(options: TemporaryLayerCacheOptions = {}): LayerCache {
  const layers = new Map<Digest, CachedLayer>()
  return {
    async open(diffId) {
      return layers.get(diffId)
    },
    async create(diffId) {
      const folder = await mkdtemp(join(options.folder ?? tmpdir(), 'bootable-layers-'))
      try {
        const file = await createLayerFile(join(folder, 'layer.tar'))
        return {
          write: file.write,
          async commit(members) {
            const layer = { content: await file.finish(), members }
            layers.set(diffId, layer)
            return layer
          },
          abort: file.discard,
        }
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
    async close() {
      const open = [...layers.values()]
      layers.clear()
      await Promise.all(open.map(({ content }) => content.close?.()))
    },
  }
}

function encodeIndex(diffId: Digest, size: number, members: readonly TarMember[]): Uint8Array[] {
  const lines = [...encodeMembers(members)].map(utf8)
  const hash = createHash('sha256')
  for (const line of lines) hash.update(line)
  const sha256 = hash.digest('hex')
  const head: IndexHead = { format: 'bootable-layer-index', version: 1, diffId, size, sha256 }
  return [utf8(`${JSON.stringify(head)}\n`), ...lines]
}

/** The index of a layer; `undefined` where there is none, or one that cannot be trusted. */
async function readIndex(
  path: string,
  diffId: Digest,
): Promise<{ size: number; members: TarMember[] } | undefined> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  const end = bytes.indexOf(0x0a)
  const body = bytes.subarray(end + 1)
  try {
    const head = JSON.parse(bytes.toString('utf8', 0, Math.max(0, end))) as IndexHead
    if (head.format !== 'bootable-layer-index' || head.version !== 1 || head.diffId !== diffId)
      return undefined
    if (createHash('sha256').update(body).digest('hex') !== head.sha256) return undefined
    return { size: head.size, members: decodeMembers(splitLines(body)) }
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined
    throw error
  }
}

function* splitLines(bytes: Buffer): Generator<string> {
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0x0a, start)
    const stop = end < 0 ? bytes.length : end
    yield bytes.toString('utf8', start, stop)
    start = stop + 1
  }
}

async function openTar(path: string, size: number): Promise<CachedLayer['content'] | undefined> {
  let source: Awaited<ReturnType<typeof openFileSource>>
  try {
    source = await openFileSource(path)
  } catch (error) {
    if (BootableError.is(error, 'FILE_NOT_READABLE') && isMissing(error.cause)) return undefined
    throw error
  }
  if (source.size === size) return { size, read: source.read, close: source.close }
  // It was cut, by a crash before the disk had it all, say: the layer is fetched again.
  await source.close()
  return undefined
}

/** Makes the folder and takes away what killed processes left in it. */
async function prepare(folder: string): Promise<void> {
  try {
    await makeFolder(folder)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new BootableError('FILE_NOT_WRITABLE', `${folder} cannot be the layer cache: ${reason}`, {
      details: { path: folder },
      hint: 'choose another folder for the cache',
      cause,
    })
  }
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.partial')) continue
    const path = join(folder, name)
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }))
    if (Date.now() - mtimeMs > STALE) await rm(path, { force: true })
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
