import type { OperationOptions } from '@bootable/bytes'
import type { Descriptor, ImageIndex, ImageManifest } from '../wire/types.ts'

/** An index or image manifest: the bytes that the digest is made of, and the document in them. */
export interface Manifest<Value extends ImageIndex | ImageManifest = ImageIndex | ImageManifest> {
  /** Exactly as stored. A manifest that is passed on goes as these bytes, never serialised again. */
  readonly raw: Uint8Array
  readonly mediaType: string
  readonly descriptor: Descriptor
  /** The parsed document, unknown fields included. */
  readonly value: Value
}

/** Options of {@link ImageStore.openBlob}. */
export interface OpenBlobOptions extends OperationOptions {
  /** First byte wanted. Beyond 0 only the length can be verified, not the digest. @defaultValue 0 */
  readonly offset?: number
}

/** Which repository of which registry something is in. */
export interface RepositoryAddress {
  /** As people write it: `docker.io`, `quay.io`, `localhost:5000`. */
  readonly host: string
  /** `library/debian`. */
  readonly repository: string
}

/** Content on its way into a store. It can be opened again when an upload has to start over. */
export interface BlobSource {
  /** Bytes, where they are known beforehand. */
  readonly size?: number
  /**
   * Where the content lies already, should it come from a registry: another repository there may take it
   * without moving a byte.
   */
  readonly repository?: RepositoryAddress
  /**
   * That the stream itself fails at its end unless it is what the descriptor says, as the streams of
   * {@link ImageStore.openBlob} do: then it is not hashed once more on its way through a network.
   * @defaultValue `false`
   */
  readonly isVerified?: boolean
  open(options?: OpenBlobOptions): Promise<AsyncIterable<Uint8Array>>
}

/** Options of {@link ImageStore.putBlob}. */
export interface PutBlobOptions extends OperationOptions {
  /** What the content must turn out to be; without it the store computes it. */
  readonly descriptor?: Descriptor
}

/** Options of {@link ImageStore.putManifest}. */
export interface PutManifestOptions extends OperationOptions {
  readonly mediaType: string
  /** The name that it gets, or several; without one it is known by its digest alone. */
  readonly reference?: string | readonly string[]
}

/** Options of {@link ImageStore.referrers}. */
export interface ReferrersOptions extends OperationOptions {
  readonly artifactType?: string
}

/**
 * A place that holds images: a registry's repository, an OCI layout, an archive, memory.
 *
 * A `reference` is a digest or a name that the store knows: a tag in a registry, the annotation
 * `org.opencontainers.image.ref.name` in a layout, a repository tag in a docker-archive. The empty string
 * asks for the only image of the store (for `latest` in a registry).
 *
 * Everything that comes out is verified: manifests before they are returned, blobs while they stream.
 */
export interface ImageStore {
  /** For messages: `oci-archive:image.tar`, `docker://quay.io/name/image`. */
  readonly name: string
  /** Set by the stores of registries: see {@link BlobSource.repository}. */
  readonly repository?: RepositoryAddress
  /**
   * What a reference stands for at this moment.
   * @throws BootableError `REFERENCE_UNKNOWN`, `REFERENCE_AMBIGUOUS`
   */
  resolve(reference: string, options?: OperationOptions): Promise<Descriptor>
  /**
   * @param target a string is resolved first
   * @throws BootableError `MANIFEST_UNKNOWN`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`; FormatError
   */
  getManifest(target: Descriptor | string, options?: OperationOptions): Promise<Manifest>
  /**
   * The bytes of a blob. The stream throws `SIZE_MISMATCH` as soon as there are too many and, at its end,
   * `SIZE_MISMATCH` or `DIGEST_MISMATCH`: use nothing of it before it has ended.
   * @throws BootableError `BLOB_UNKNOWN`
   */
  openBlob(descriptor: Descriptor, options?: OpenBlobOptions): Promise<AsyncIterable<Uint8Array>>
  hasBlob(descriptor: Descriptor, options?: OperationOptions): Promise<boolean>
  /**
   * Takes a blob in; one that is already there is not read. If it fails, nothing stays behind that anybody
   * could take for content; a store of files may keep what has arrived, to go on from there.
   * @throws BootableError `STORE_READ_ONLY`, and those of the stream that it reads
   */
  putBlob(source: BlobSource, options?: PutBlobOptions): Promise<Descriptor>
  /** Takes a manifest in, byte for byte, once everything that it points at is there. */
  putManifest(raw: Uint8Array, options: PutManifestOptions): Promise<Descriptor>
  /** Every name that `resolve` knows. */
  tags?(options?: OperationOptions): AsyncIterable<string>
  /** Manifests whose `subject` is this one, each with its `artifactType` and annotations. */
  referrers?(subject: Descriptor, options?: ReferrersOptions): AsyncIterable<Descriptor>
  /**
   * Forgets a name, whose manifest stays; or deletes the manifest that a digest or descriptor stands for,
   * with every name that it had. Blobs stay.
   * @throws BootableError `REFERENCE_UNKNOWN`, `MANIFEST_UNKNOWN`
   */
  delete?(target: Descriptor | string, options?: OperationOptions): Promise<void>
  close?(): Promise<void>
}
