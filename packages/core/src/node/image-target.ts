import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BootableError } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  type CopyImageOptions,
  type CopyPlan,
  copyImage,
  type Descriptor,
  formatReference,
  type Image,
  type ImageStore,
  isTag,
  type ListContentOptions,
  memoryStore,
  parseReference,
  planCopy,
} from '@bootable/oci'
import { createLayout, openLayout, writeDockerArchive, writeOciArchive } from '@bootable/oci/node'
import { parseRepositoryName, type RegistryOptions, registryStore } from '@bootable/registry'
import { nodeRegistryOptions } from '@bootable/registry/node'
import type { CoreErrorCode } from '../errors.ts'
import { type FileTransport, formatImageSource, type ImageSource, parseImageSource } from '../source.ts'
import type { OpenImageSourceOptions } from './open-image.ts'

/** An address to which images are written. */
type WritableAddress = Extract<ImageSource, { readonly transport: 'docker' | FileTransport }>

/** Whatever a reference stands for in a store. */
export interface NamedSource {
  readonly store: ImageStore
  readonly reference: string
}

/** What is put into a target: one image that was opened, or all that a name stands for. */
export type PutSource = Image | NamedSource

/** What was put into a target. */
export interface PutImage {
  readonly descriptor: Descriptor
  /**
   * Takes files away that were made for it. What an archive has replaced does not come back, and a registry or
   * a layout that was there before keeps what it got.
   */
  undo(): Promise<void>
}

/** A place for an image. */
export interface ImageTarget {
  /** The whole address, such as `oci-archive:image.tar:latest`. */
  readonly address: string
  readonly transport: WritableAddress['transport']
  /** Nothing half-made stays behind when it fails, but for blobs in a registry that nothing points at. */
  put(source: PutSource, options?: CopyImageOptions): Promise<PutImage>
  /** What `put` would move. Nothing is written, and no folder is made. */
  plan(source: PutSource, options?: ListContentOptions): Promise<CopyPlan>
}

/** Options of {@link imageTarget}. */
export interface ImageTargetOptions extends Pick<OpenImageSourceOptions, 'registry'> {
  /** The name or tag where the address has none. */
  readonly name?: string
}

/**
 * A place for an image by its address: `docker://host/name:tag`, `oci:folder[:name]`, which may hold others,
 * `oci-archive:file[:name]` or `docker-archive:file[:name:tag]`, which hold one image.
 *
 * @throws BootableError `SOURCE_INVALID`, `SOURCE_UNSUPPORTED`, `REFERENCE_INVALID`
 */
export function imageTarget(address: string, options: ImageTargetOptions = {}): ImageTarget {
  const target = withName(checkWritable(parseImageSource(address), address), options.name)
  // What is no name is told now, not when there is something to send.
  if (target.transport === 'docker') parseRepositoryName(target.reference)
  return {
    address: formatImageSource(target),
    transport: target.transport,
    put: (source, copying = {}) => putInto(target, source, copying, options),
    plan: (source, listing = {}) => planFor(target, source, listing, options),
  }
}

function checkWritable(target: ImageSource, address: string): WritableAddress {
  const { transport } = target
  if (transport !== 'containers-storage' && transport !== 'docker-daemon') return target
  throw new BootableError<CoreErrorCode>(
    'SOURCE_UNSUPPORTED',
    `${address}: ${transport} is read, not written`,
    {
      details: { source: address, transport },
      hint: 'write an archive and load it, for instance with "podman load" or "docker load"',
    },
  )
}

async function planFor(
  target: WritableAddress,
  source: PutSource,
  listing: ListContentOptions,
  { registry }: ImageTargetOptions,
): Promise<CopyPlan> {
  const store = await openExisting(target, registry)
  try {
    return await planCopy(source, store, listing)
  } finally {
    await store.close?.()
  }
}

/** What is there before something is put; an archive is always written anew. */
async function openExisting(target: WritableAddress, registry: RegistryOptions = {}): Promise<ImageStore> {
  if (target.transport === 'docker') {
    return registryStore(target.reference, { ...nodeRegistryOptions(), ...registry })
  }
  if (target.transport !== 'oci') return memoryStore()
  // A folder that is none becomes a layout.
  const isLayout = (await stat(join(target.path, 'oci-layout')).catch(() => undefined)) !== undefined
  return isLayout ? openLayout(target.path, { runtime: nodeRuntime }) : memoryStore()
}

function putInto(
  target: WritableAddress,
  source: PutSource,
  copying: CopyImageOptions,
  options: ImageTargetOptions,
): Promise<PutImage> {
  switch (target.transport) {
    case 'docker':
      return intoRegistry(source, target.reference, copying, options)
    case 'oci':
      return intoLayout(source, target, copying)
    case 'oci-archive':
      return intoOciArchive(source, target, copying)
    case 'docker-archive':
      return intoDockerArchive(source, target, copying)
  }
}

type FileTarget = Extract<ImageSource, { readonly path: string }>

function withName(target: WritableAddress, name: string | undefined): WritableAddress {
  if (name === undefined) return target
  if (target.transport !== 'docker') return target.reference === '' ? { ...target, reference: name } : target
  const reference = parseReference(target.reference)
  const isNamed = reference.tag !== undefined || reference.digest !== undefined
  if (isNamed || !isTag(name)) return target
  return { ...target, reference: formatReference({ ...reference, tag: name }) }
}

async function intoRegistry(
  source: PutSource,
  reference: string,
  copying: CopyImageOptions,
  { registry }: ImageTargetOptions,
): Promise<PutImage> {
  const store = registryStore(reference, { ...nodeRegistryOptions(), ...registry })
  try {
    const descriptor = await copyImage(source, store, store.repository.reference, copying)
    return { descriptor, undo: async () => {} }
  } finally {
    await store.close()
  }
}

async function intoLayout(
  source: PutSource,
  { path, reference }: FileTarget,
  copying: CopyImageOptions,
): Promise<PutImage> {
  const isNew = (await stat(path).catch(() => undefined)) === undefined
  const undo = async (): Promise<void> => {
    if (isNew) await rm(path, { recursive: true, force: true })
  }
  try {
    const layout = await createLayout(path, { runtime: nodeRuntime })
    return { descriptor: await copyImage(source, layout, reference, copying), undo }
  } catch (error) {
    await undo()
    throw error
  }
}

async function intoOciArchive(
  source: PutSource,
  { path, reference }: FileTarget,
  copying: CopyImageOptions,
): Promise<PutImage> {
  const { descriptor } = 'manifest' in source ? source.manifest : await rootOf(source, copying)
  await writeOciArchive(path, [{ source, name: reference }], copying)
  return { descriptor, undo: () => rm(path, { force: true }) }
}

function rootOf(
  { store, reference }: NamedSource,
  { signal }: CopyImageOptions,
): Promise<{ descriptor: Descriptor }> {
  return store.getManifest(reference, signal ? { signal } : {})
}

async function intoDockerArchive(
  source: PutSource,
  { path, reference }: FileTarget,
  copying: CopyImageOptions,
): Promise<PutImage> {
  if (!('manifest' in source)) {
    throw new BootableError<CoreErrorCode>(
      'DESTINATION_INVALID',
      `docker-archive:${path}: such an archive holds single images, not what a name stands for on all platforms`,
      { details: { destination: `docker-archive:${path}` }, hint: 'name the platform that is wanted' },
    )
  }
  const tags = reference === '' ? [] : [reference]
  await writeDockerArchive(path, [{ image: source, tags }], { ...copying, runtime: nodeRuntime })
  return { descriptor: source.manifest.descriptor, undo: () => rm(path, { force: true }) }
}
