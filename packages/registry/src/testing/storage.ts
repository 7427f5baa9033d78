import type { HashAlgorithm } from '@bootable/bytes'
import type { Descriptor, Digest } from '@bootable/oci'

/** What is looked at in a manifest. Everything else is kept, as the bytes that came. */
export interface ManifestDocument {
  readonly schemaVersion?: unknown
  readonly mediaType?: unknown
  readonly artifactType?: string
  readonly config?: Descriptor
  readonly layers?: readonly Descriptor[]
  readonly manifests?: readonly Descriptor[]
  readonly subject?: Descriptor
  readonly annotations?: Readonly<Record<string, string>>
}

export interface StoredManifest {
  readonly raw: Uint8Array
  readonly mediaType: string
  readonly digest: Digest
  readonly document: ManifestDocument
}

/** An upload under way: distribution-spec, "Pushing blobs". */
export interface Upload {
  readonly id: string
  readonly algorithm: HashAlgorithm
  readonly chunks: Uint8Array[]
  length: number
  /** A chunk below the minimum came: it must have been the last. */
  hasShortChunk: boolean
}

export interface StoredRepository {
  readonly blobs: Map<Digest, Uint8Array>
  readonly manifests: Map<Digest, StoredManifest>
  readonly tags: Map<string, Digest>
  readonly uploads: Map<string, Upload>
}

/** Everything that the registry holds, in memory. A repository exists once something was put into it. */
export interface Storage {
  readonly repositories: Map<string, StoredRepository>
  /** Makes it, if need be. */
  repository(name: string): StoredRepository
}

export function createStorage(): Storage {
  const repositories = new Map<string, StoredRepository>()
  return {
    repositories,
    repository(name) {
      let repository = repositories.get(name)
      if (!repository) {
        repository = { blobs: new Map(), manifests: new Map(), tags: new Map(), uploads: new Map() }
        repositories.set(name, repository)
      }
      return repository
    },
  }
}
