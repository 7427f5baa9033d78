import { randomBytes } from 'node:crypto'
import { rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { memorySource, type RuntimeOptions, utf8 } from '@bootable/bytes'
import { makeFolder, nodeRuntime, openFileSource, writeOutputFile } from '@bootable/bytes/node'
import { blobOf } from '../store/blob.ts'
import { contentStore, noSuchName, unknown } from '../store/content.ts'
import {
  addRoot,
  blobPath,
  EMPTY_INDEX,
  type LayoutFiles,
  layoutBackend,
  namesFrom,
  OCI_LAYOUT_FILE,
  readIndex,
  removeRoot,
} from '../store/layout.ts'
import { createManifest } from '../store/manifest.ts'
import type { BlobSource, ImageStore, PutBlobOptions } from '../store/store.ts'
import { type Digest, digestOf, isDigest, parseDigest } from '../wire/digest.ts'
import type { Descriptor, ImageIndex } from '../wire/types.ts'
import { saveBlob } from './save-blob.ts'
import { writeChunks } from './write.ts'

/** Not below `blobs`, where tools take every file for a blob: `umoci gc` stops at a name that is no digest. */
const PARTIALS = '.partial'

/**
 * An OCI image layout in a folder, for reading and writing (image-spec, "Image Layout"). Blobs and
 * `index.json` take their names only when they are complete; what has arrived of a large blob before its
 * download broke waits in the folder `.partial`, as {@link saveBlob} has it.
 * @throws FormatError when the folder is not a layout
 */
export async function openLayout(folder: string, options: RuntimeOptions = {}): Promise<ImageStore> {
  await readIndex(layoutFiles(folder))
  return layoutStore(folder, options)
}

/** Like {@link openLayout}, but makes the folder a layout if it is not one. */
export async function createLayout(folder: string, options: RuntimeOptions = {}): Promise<ImageStore> {
  const files = layoutFiles(folder)
  if (!(await files.has('oci-layout'))) {
    await makeFolder(join(folder, 'blobs/sha256'))
    if (!(await files.has('index.json'))) await writeIndex(folder, EMPTY_INDEX)
    await writeBytes(join(folder, 'oci-layout'), OCI_LAYOUT_FILE)
  }
  return openLayout(folder, options)
}

function layoutStore(folder: string, { runtime = nodeRuntime }: RuntimeOptions): ImageStore {
  const files = layoutFiles(folder)
  let updating: Promise<unknown> = Promise.resolve()

  async function putBlob(source: BlobSource, options: PutBlobOptions = {}): Promise<Descriptor> {
    const { descriptor } = options
    if (!descriptor) return receiveBlob(source, options)
    const path = join(folder, blobPath(descriptor.digest))
    if ((await fileSize(path)) === descriptor.size) return descriptor
    await saveBlob(source, descriptor, path, { ...options, runtime, partials: join(folder, PARTIALS) })
    return descriptor
  }

  /** One update at a time, or two names put at once would lose one. */
  function updateIndex(change: (index: ImageIndex) => ImageIndex): Promise<void> {
    const update = updating.then(async () => writeIndex(folder, change(await readIndex(files))))
    updating = update.catch(() => {})
    return update
  }

  /** The name of a blob whose digest nobody knows beforehand is known when it has been written. */
  async function receiveBlob(source: BlobSource, options: PutBlobOptions): Promise<Descriptor> {
    const incoming = join(folder, `.blob-${randomBytes(8).toString('hex')}`)
    const hash = runtime.createHash('sha256')
    const chunks = await source.open(options)
    const size = await writeOutputFile(incoming, (file) =>
      writeChunks(chunks, file, (each) => hash.update(each)),
    )
    const digest = digestOf('sha256', hash.digest())
    const path = join(folder, blobPath(digest))
    await makeFolder(dirname(path))
    await rename(incoming, path)
    return { mediaType: 'application/octet-stream', digest, size }
  }

  return {
    ...contentStore(layoutBackend(files), { runtime }),
    // What a crash or another tool has cut short is not there: a copy brings it again.
    hasBlob: async ({ digest, size }) => (await fileSize(join(folder, blobPath(digest)))) === size,
    putBlob,
    async putManifest(raw, { mediaType, reference, signal }) {
      const { descriptor, value } = createManifest(raw, { mediaType, runtime })
      await putBlob(blobOf(memorySource(raw)), signal ? { descriptor, signal } : { descriptor })
      const names = namesFrom(reference)
      // What refers to another manifest is found through the list alone.
      const listed = names.length === 0 && value.subject ? [''] : names
      if (listed.length === 0) return descriptor
      await updateIndex((index) => listed.reduce((each, name) => addRoot(each, descriptor, name), index))
      return descriptor
    },
    async delete(target) {
      const digest = typeof target === 'string' && !isDigest(target) ? undefined : digestOfTarget(target)
      if (digest !== undefined && !(await files.has(blobPath(digest)))) {
        throw unknown('MANIFEST_UNKNOWN', 'manifest', files.name, digest)
      }
      await updateIndex((index) => {
        const rest = removeRoot(index, digest ?? (target as string))
        if (digest === undefined && rest.manifests.length === index.manifests.length) {
          throw noSuchName(files.name, target as string, index.manifests)
        }
        return rest
      })
      if (digest !== undefined) await rm(join(folder, blobPath(digest)), { force: true })
    },
  }
}

function digestOfTarget(target: Descriptor | string): Digest {
  return typeof target === 'string' ? parseDigest(target) : target.digest
}

function layoutFiles(folder: string): LayoutFiles {
  const has = async (path: string): Promise<boolean> => (await fileSize(join(folder, path))) !== undefined
  return {
    name: `oci:${folder}`,
    has,
    open: async (path) => ((await has(path)) ? openFileSource(join(folder, path)) : undefined),
  }
}

/** Bytes of a regular file, links followed; `undefined` where there is none. */
async function fileSize(path: string): Promise<number | undefined> {
  const status = await stat(path).catch(() => undefined)
  return status?.isFile() ? status.size : undefined
}

async function writeIndex(folder: string, index: ImageIndex): Promise<void> {
  await writeBytes(join(folder, 'index.json'), utf8(JSON.stringify(index)))
}

async function writeBytes(path: string, bytes: Uint8Array): Promise<void> {
  await writeOutputFile(path, (file) => file.write(0, bytes))
}
