import { BootableError } from '@bootable/bytes'
import type { OciErrorCode } from '../wire/errors.ts'
import { isConfigMediaType, isIndexMediaType, isManifestMediaType } from '../wire/media-types.ts'
import { DEFAULT_PLATFORM, formatPlatform, rankPlatform, selectPlatform } from '../wire/platform.ts'
import type { Descriptor, ImageIndex, ImageManifest, Platform } from '../wire/types.ts'
import { type Config, getConfig } from './config.ts'
import { isIndex } from './manifest.ts'
import type { ImageStore, Manifest } from './store.ts'

/** A manifest together with its configuration. */
interface Found {
  readonly manifest: Manifest<ImageManifest>
  readonly config: Config
}

/** Indexes within indexes. */
const MAX_DEPTH = 8
/** Documents fetched in one search: a hostile index could name the same ones over and over. */
const MAX_VISITS = 100

/**
 * The image that a reference means on a platform. Entries of an index that name their platform come
 * first, best first; then those that name none, whose configuration decides.
 * @throws BootableError `PLATFORM_MISSING`
 */
export async function findImage(
  store: ImageStore,
  reference: string,
  platform: Platform | undefined,
  signal: AbortSignal | undefined,
): Promise<Found> {
  const options = signal ? { signal } : {}
  const wanted = platform ?? DEFAULT_PLATFORM
  const available = new Set<string>()
  let visits = 0

  async function visit(target: Descriptor | string, depth: number): Promise<Found | undefined> {
    signal?.throwIfAborted()
    if (depth > MAX_DEPTH) throw tooMuch(`indexes are nested more than ${MAX_DEPTH} deep`)
    if (++visits > MAX_VISITS) throw tooMuch(`more than ${MAX_VISITS} documents had to be read`)
    const manifest = await store.getManifest(target, options)
    if (isIndex(manifest)) {
      for (const entry of candidates(manifest.value)) {
        const found = await visit(entry, depth + 1)
        if (found) return found
      }
      return undefined
    }
    const image = manifest as Manifest<ImageManifest>
    // Signatures and other artifacts stand beside the images of an index.
    if (depth > 0 && !isConfigMediaType(image.value.config.mediaType)) return undefined
    const config = await getConfig(store, image.value, options)
    // The word of the index is taken for its entries: some name a variant that the configuration omits.
    const isChosen = typeof target !== 'string' && target.platform !== undefined
    const isOnlyChoice = depth === 0 && platform === undefined
    if (isChosen || isOnlyChoice || rankPlatform(config.value, wanted) !== undefined) {
      return { manifest: image, config }
    }
    available.add(formatPlatform(config.value))
    return undefined
  }

  function candidates(index: ImageIndex): readonly Descriptor[] {
    for (const { platform: offered } of index.manifests) {
      // BuildKit lists its attestations under this platform.
      if (offered && offered.os !== 'unknown') available.add(formatPlatform(offered))
    }
    const unnamed = index.manifests.filter((entry) => !entry.platform)
    return [...selectPlatform(index, wanted), ...unnamed].filter(
      ({ mediaType }) => isIndexMediaType(mediaType) || isManifestMediaType(mediaType),
    )
  }

  const found = await visit(reference, 0)
  if (found) return found
  const offered = [...available].slice(0, 50)
  throw new BootableError<OciErrorCode>(
    'PLATFORM_MISSING',
    `${store.name} has no image for ${formatPlatform(wanted)}${offered.length > 0 ? `, only for ${offered.join(', ')}` : ''}`,
    {
      details: { reference, platform: formatPlatform(wanted), available: offered },
      hint: offered.length > 0 ? 'ask for one of these platforms' : 'the index names no image at all',
    },
  )
}

function tooMuch(message: string): BootableError<OciErrorCode> {
  return new BootableError('LIMIT_EXCEEDED', message, { hint: 'no honest image does this' })
}
