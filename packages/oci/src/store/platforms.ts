import type { OperationOptions } from '@bootable/bytes'
import { BootableError, utf8 } from '@bootable/bytes'
import type { OciErrorCode } from '../wire/errors.ts'
import { isConfigMediaType } from '../wire/media-types.ts'
import { formatPlatform, parsePlatform, rankPlatform, selectPlatform } from '../wire/platform.ts'
import type { Descriptor, ImageIndex, ImageManifest, Platform } from '../wire/types.ts'
import { getConfig } from './config.ts'
import { createManifest, isIndex } from './manifest.ts'
import type { ImageStore, Manifest } from './store.ts'

/** By which BuildKit says whose attestation an entry of an index is (buildkit, "Attestation Storage"). */
const ATTESTED = 'vnd.docker.reference.digest'

/**
 * The index that has only the images of some platforms, or the single image itself if it is for one of them.
 * An index of which nothing is left out stays what it is, byte for byte.
 * @throws BootableError `PLATFORM_MISSING` for a platform that there is no image for
 */
export async function choosePlatforms(
  store: ImageStore,
  root: Manifest,
  platforms: readonly (Platform | string)[],
  options: OperationOptions,
): Promise<Manifest> {
  const wanted = platforms.map((each) => (typeof each === 'string' ? parsePlatform(each) : each))
  if (!isIndex(root)) {
    const image = root as Manifest<ImageManifest>
    // An artifact runs anywhere.
    if (!isConfigMediaType(image.value.config.mediaType)) return root
    const { value } = await getConfig(store, image.value, options)
    if (wanted.some((each) => rankPlatform(value, each) !== undefined)) return root
    throw missing(store, wanted, [value])
  }
  const manifests = entriesFor(store, root.value, wanted)
  if (manifests.length === root.value.manifests.length) return root
  const raw = utf8(JSON.stringify({ ...root.value, manifests }))
  return createManifest(raw, { mediaType: root.mediaType })
}

function entriesFor(
  store: ImageStore,
  { manifests, ...index }: ImageIndex,
  wanted: readonly Platform[],
): readonly Descriptor[] {
  const chosen = new Set<string>()
  for (const platform of wanted) {
    const [best] = selectPlatform({ ...index, manifests }, platform)
    if (!best)
      throw missing(
        store,
        [platform],
        manifests.flatMap((each) => each.platform ?? []),
      )
    chosen.add(best.digest)
  }
  return manifests.filter(
    ({ digest, annotations }) => chosen.has(digest) || chosen.has(annotations?.[ATTESTED] ?? ''),
  )
}

function missing(
  { name }: ImageStore,
  wanted: readonly Platform[],
  offered: readonly Platform[],
): BootableError<OciErrorCode> {
  const texts = [wanted, offered].map((each) => [...new Set(each.map(formatPlatform))].slice(0, 50))
  const [asked = [], available = []] = texts
  return new BootableError('PLATFORM_MISSING', `${name} has no image for ${asked.join(', ')}`, {
    details: { wanted: asked, available },
    ...(available.length > 0 && { hint: `there is one for ${available.join(', ')}` }),
  })
}
