import type { Digest } from './digest.ts'

/** Free texts by name: image-spec, "Annotations". */
export type Annotations = Readonly<Record<string, string>>

/** What an image runs on: image-spec, "Image Index", `platform`. Values are those of Go. */
export interface Platform {
  /** `GOARCH`: `amd64`, `arm64`, `s390x` … */
  readonly architecture: string
  /** `GOOS`: `linux`. */
  readonly os: string
  readonly 'os.version'?: string
  readonly 'os.features'?: readonly string[]
  /** Of the CPU: `v8` for arm64, `v7` for arm, `v3` for amd64. */
  readonly variant?: string
}

/** Points at content: image-spec, "Content Descriptors". */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  readonly urls?: readonly string[]
  readonly annotations?: Annotations
  /** The content itself, in base64. Never used unchecked. */
  readonly data?: string
  readonly artifactType?: string
  readonly platform?: Platform
}

/** image-spec, "Image Manifest"; Docker's schema 2 has the same shape. */
export interface ImageManifest {
  readonly schemaVersion: 2
  readonly mediaType?: string
  readonly artifactType?: string
  readonly config: Descriptor
  /** The base layer first. */
  readonly layers: readonly Descriptor[]
  readonly subject?: Descriptor
  readonly annotations?: Annotations
}

/** image-spec, "Image Index"; Docker's manifest list has the same shape. */
export interface ImageIndex {
  readonly schemaVersion: 2
  readonly mediaType?: string
  readonly artifactType?: string
  readonly manifests: readonly Descriptor[]
  readonly subject?: Descriptor
  readonly annotations?: Annotations
}

/** Execution parameters: image-spec, "Image Configuration", `config`. */
export interface ExecutionConfig {
  readonly User?: string
  readonly ExposedPorts?: Readonly<Record<string, object>> | null
  readonly Env?: readonly string[] | null
  readonly Entrypoint?: readonly string[] | null
  readonly Cmd?: readonly string[] | null
  readonly Volumes?: Readonly<Record<string, object>> | null
  readonly WorkingDir?: string
  readonly Labels?: Readonly<Record<string, string>> | null
  readonly StopSignal?: string
}

/** How one layer came about: image-spec, "Image Configuration", `history`. */
export interface History {
  readonly created?: string
  readonly author?: string
  readonly created_by?: string
  readonly comment?: string
  readonly empty_layer?: boolean
}

/** image-spec, "Image Configuration". `null` stands where Docker writes it. */
export interface ImageConfig extends Platform {
  /** RFC 3339. */
  readonly created?: string
  readonly author?: string
  readonly config?: ExecutionConfig | null
  readonly rootfs: {
    readonly type: 'layers'
    /** Digests of the uncompressed layers, the base first. */
    readonly diff_ids: readonly Digest[]
  }
  readonly history?: readonly History[] | null
}

/** The file `oci-layout`: image-spec, "Image Layout". */
export interface ImageLayout {
  readonly imageLayoutVersion: '1.0.0'
}

/** The annotation that names an image within an index: image-spec, "Pre-Defined Annotation Keys". */
export const REF_NAME = 'org.opencontainers.image.ref.name'
