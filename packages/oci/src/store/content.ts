import type { ByteSource, Runtime } from '@bootable/bytes'
import { BootableError, portableRuntime, readAll, streamSource } from '@bootable/bytes'
import { type Digest, isDigest } from '../wire/digest.ts'
import type { OciErrorCode } from '../wire/errors.ts'
import { type Descriptor, REF_NAME } from '../wire/types.ts'
import { verifyBlob } from './blob.ts'
import { checkDocumentSize, createManifest, MAX_DOCUMENT } from './manifest.ts'
import { isReferrersTag, scanReferrers } from './referrers.ts'
import type { ImageStore, Manifest } from './store.ts'

/** A place where content lies under its digest: all that {@link contentStore} has to know of it. */
export interface ContentBackend {
  /** For messages: {@link ImageStore.name}. */
  readonly name: string
  /** The bytes under a digest, unchecked; `undefined` where there are none. The caller closes them. */
  open(digest: Digest): Promise<ByteSource | undefined>
  has(digest: Digest): Promise<boolean>
  /** The manifests that can be asked for by name, the name being an annotation: what `index.json` lists. */
  roots(): Promise<readonly Descriptor[]>
  /** The manifests that may refer to others, where more are known than the roots. @defaultValue the roots */
  manifests?(): Promise<readonly Descriptor[]>
  /** Whether a name asked for means a name held. @defaultValue equality */
  isSameName?(asked: string, held: string): boolean
}

/** The reading half of a store. */
export type ContentStore = Required<Pick<ImageStore, 'tags' | 'referrers'>> &
  Pick<ImageStore, 'name' | 'resolve' | 'getManifest' | 'openBlob' | 'hasBlob'>

/** The full name that Docker and containerd give, beside a `ref.name` that is only the tag. */
const CONTAINERD_NAME = 'io.containerd.image.name'

/** The reading half of every store that is not a registry: names looked up, content verified. */
export function contentStore(
  backend: ContentBackend,
  options: { readonly runtime?: Runtime } = {},
): ContentStore {
  const { name } = backend
  const { runtime = portableRuntime } = options
  const isNamed = (root: Descriptor, asked: string): boolean =>
    namesOf(root).some((held) => held === asked || backend.isSameName?.(asked, held))

  async function readManifest(digest: Digest, limit: number): Promise<Uint8Array> {
    const source = await backend.open(digest)
    if (!source) throw unknown('MANIFEST_UNKNOWN', 'manifest', name, digest)
    try {
      return await readAll(source, limit)
    } finally {
      await source.close?.()
    }
  }

  /** A signature beside an image does not make it two images: names, and what refers to nothing. */
  async function withoutReferrers(roots: readonly Descriptor[]): Promise<readonly Descriptor[]> {
    const images: Descriptor[] = []
    for (const root of roots) {
      const names = namesOf(root)
      const isNamedImage = names.some((each) => !isReferrersTag(each))
      if (isNamedImage || (names.length === 0 && !(await store.getManifest(root)).value.subject))
        images.push(root)
    }
    return images.length > 0 ? images : roots
  }

  const store: ContentStore = {
    name,
    async resolve(reference, { signal } = {}) {
      signal?.throwIfAborted()
      const roots = await backend.roots()
      if (isDigest(reference)) {
        const root = roots.find(({ digest }) => digest === reference)
        if (root) return root
        if (!(await backend.has(reference))) throw noSuchName(name, reference, roots)
        const raw = await readManifest(reference, MAX_DOCUMENT)
        return createManifest(raw, { digest: reference, runtime }).descriptor
      }
      const matching = reference === '' ? roots : roots.filter((root) => isNamed(root, reference))
      const [first, ...others] = matching
      if (!first) throw noSuchName(name, reference, roots)
      if (others.every(({ digest }) => digest === first.digest)) return first
      const images = reference === '' ? await withoutReferrers(matching) : matching
      const [image = first] = images
      if (images.some(({ digest }) => digest !== image.digest)) throw ambiguous(name, reference, images)
      return image
    },
    async getManifest(target, options = {}) {
      const descriptor = typeof target === 'string' ? await store.resolve(target, options) : target
      options.signal?.throwIfAborted()
      checkDocumentSize(descriptor)
      const raw = await readManifest(descriptor.digest, Math.max(descriptor.size, MAX_DOCUMENT))
      return createManifest(raw, { descriptor, runtime })
    },
    async openBlob(descriptor, options = {}) {
      const { digest } = descriptor
      options.signal?.throwIfAborted()
      if (!(await backend.has(digest))) throw unknown('BLOB_UNKNOWN', 'blob', name, digest)
      return verifyBlob(streamContent(backend, digest, options), descriptor, { ...options, runtime })
    },
    hasBlob: ({ digest }) => backend.has(digest),
    async *referrers(subject, { artifactType, signal } = {}) {
      const manifests = (await backend.manifests?.()) ?? (await backend.roots())
      const candidates = manifests.map((descriptor) => ({ descriptor, names: namesOf(descriptor) }))
      const read = async (descriptor: Descriptor): Promise<Manifest | undefined> =>
        (await backend.has(descriptor.digest))
          ? store.getManifest(descriptor, signal && { signal })
          : undefined
      yield* scanReferrers(subject, { candidates, read }, artifactType)
    },
    async *tags() {
      yield* namesIn(await backend.roots())
    },
  }
  return store
}

/** Opens when the first chunk is asked for, so that a stream nobody reads holds no file. */
async function* streamContent(
  backend: ContentBackend,
  digest: Digest,
  { offset = 0, signal }: { readonly offset?: number; readonly signal?: AbortSignal },
): AsyncGenerator<Uint8Array> {
  const source = await backend.open(digest)
  if (!source) throw unknown('BLOB_UNKNOWN', 'blob', backend.name, digest)
  try {
    const start = Math.min(offset, source.size)
    yield* streamSource(source, signal ? { offset: start, signal } : { offset: start })
  } finally {
    await source.close?.()
  }
}

function namesOf({ annotations }: Descriptor): string[] {
  return [annotations?.[REF_NAME], annotations?.[CONTAINERD_NAME]].filter((name) => name !== undefined)
}

function namesIn(roots: readonly Descriptor[]): string[] {
  return [...new Set(roots.flatMap(namesOf))]
}

/** That a store does not hold what was asked for, and what it holds instead. */
export function noSuchName(
  store: string,
  reference: string,
  roots: readonly Descriptor[],
): BootableError<OciErrorCode> {
  const names = namesIn(roots)
  const what = reference === '' ? 'any image' : JSON.stringify(reference.slice(0, 300))
  return new BootableError('REFERENCE_UNKNOWN', `${store} does not hold ${what}`, {
    details: { store, reference, names },
    ...(names.length > 0 && { hint: `it holds ${listNames(names)}` }),
  })
}

function ambiguous(
  store: string,
  reference: string,
  roots: readonly Descriptor[],
): BootableError<OciErrorCode> {
  const names = namesIn(roots)
  const choices = names.length > 1 ? names : roots.map(({ digest }) => digest)
  const which = reference === '' ? '' : ` under the name ${JSON.stringify(reference)}`
  return new BootableError('REFERENCE_AMBIGUOUS', `${store} holds ${roots.length} images${which}`, {
    details: { store, reference, names: choices },
    hint: `choose one: ${listNames(choices)}`,
  })
}

function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 20).map((name) => name.slice(0, 200))
  return `${shown.join(', ')}${names.length > shown.length ? ` and ${names.length - shown.length} more` : ''}`
}

/** That a store has no such manifest or blob. */
export function unknown(
  code: 'MANIFEST_UNKNOWN' | 'BLOB_UNKNOWN',
  what: string,
  store: string,
  digest: Digest,
): BootableError<OciErrorCode> {
  return new BootableError(code, `${store} has no ${what} ${digest}`, { details: { store, digest } })
}
