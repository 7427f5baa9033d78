import { utf8 } from '@bootable/bytes'
import {
  type Digest,
  type ImageConfig,
  type Platform,
  parseConfig,
  parseDigest,
  parseManifest,
} from '@bootable/oci'
import type { Commit } from '../object/commit.ts'
import type { FindingLog } from './findings.ts'

/** A layer of a deployed image. */
export interface LayerFacts {
  /** Of the blob, as the registry has it. */
  readonly digest: Digest
  /** Bytes of the blob. */
  readonly size: number
  /** Of the uncompressed tar. */
  readonly diffId?: Digest
  /** Whether the repository holds it: an update does not fetch it again. */
  readonly stored: boolean
}

/** What a commit that was made from a container image says about that image. */
export interface ImageFacts {
  /** Of the platform's manifest, not of an index. */
  readonly manifestDigest: Digest
  /** What `podman image inspect` calls the id. */
  readonly configDigest?: Digest
  readonly platform?: Platform
  readonly labels: Readonly<Record<string, string>>
  /** Label `org.opencontainers.image.version`, else label `version`, as `bootc status` has it. */
  readonly version?: string
  /** RFC 3339: label `org.opencontainers.image.created`, else the time of the image. */
  readonly created?: string
  /** The base first; empty where the manifest is missing. */
  readonly layers: readonly LayerFacts[]
}

/** Keys of the metadata of a merge commit, as ostree's container import writes them. */
const KEY = {
  manifestDigest: 'ostree.manifest-digest',
  manifest: 'ostree.manifest',
  config: 'ostree.container.image-config',
} as const

/**
 * Reads the image out of the metadata of a merge commit. `undefined` for a commit that was not made from a
 * container image; what of it cannot be read goes into the log.
 */
export async function readImageFacts(
  { metadata }: Commit,
  path: string,
  storedLayers: ReadonlySet<Digest>,
  log: FindingLog,
): Promise<ImageFacts | undefined> {
  const text = (key: string): string | undefined => {
    const value = metadata.get(key)
    return typeof value === 'string' ? value : undefined
  }
  const read = async <T>(key: string, parse: (value: string) => T): Promise<T | undefined> => {
    const value = text(key)
    if (value === undefined) log.add(path, `the commit has no ${key}`)
    return value === undefined ? undefined : log.attempt(path, () => parse(value))
  }
  if (!Object.values(KEY).some((key) => metadata.has(key))) return undefined
  const manifestDigest = await read(KEY.manifestDigest, parseDigest)
  if (manifestDigest === undefined) return undefined
  const manifest = await read(KEY.manifest, (value) => parseManifest(utf8(value)))
  const config = await read(KEY.config, (value) => parseConfig(utf8(value)))
  const version = config && imageVersion(config)
  const created = config && imageCreated(config)
  return {
    manifestDigest,
    ...(manifest && { configDigest: manifest.config.digest }),
    ...(config && { platform: platformOf(config) }),
    labels: config?.config?.Labels ?? {},
    ...(version !== undefined && { version }),
    ...(created !== undefined && { created }),
    layers: (manifest?.layers ?? []).map(({ digest, size }, index) => {
      const diffId = config?.rootfs.diff_ids[index]
      return { digest, size, ...(diffId !== undefined && { diffId }), stored: storedLayers.has(digest) }
    }),
  }
}

/** The version that `bootc status` shows: label `org.opencontainers.image.version`, else label `version`. */
export function imageVersion({ config }: ImageConfig): string | undefined {
  const labels = config?.Labels ?? {}
  return labels['org.opencontainers.image.version'] ?? labels.version
}

/** The time that `bootc status` shows: label `org.opencontainers.image.created`, else that of the image. */
export function imageCreated({ config, created }: ImageConfig): string | undefined {
  return config?.Labels?.['org.opencontainers.image.created'] ?? created
}

function platformOf({ architecture, os, variant }: ImageConfig): Platform {
  return variant === undefined ? { architecture, os } : { architecture, os, variant }
}
