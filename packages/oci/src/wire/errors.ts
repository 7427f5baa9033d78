/**
 * The cases in which something is wrong with an image, a reference or a store. Bytes that are not what
 * their format asks for are a `FormatError` instead.
 */
export type OciErrorCode =
  /** A text that is not a digest at all. */
  | 'DIGEST_INVALID'
  /** A well-formed digest of an algorithm that cannot be checked here. */
  | 'DIGEST_UNSUPPORTED'
  /** Content whose hash is not the one that its descriptor promises. */
  | 'DIGEST_MISMATCH'
  /** Content that is longer or shorter than its descriptor promises. */
  | 'SIZE_MISMATCH'
  | 'REFERENCE_INVALID'
  /** The store holds nothing under that name. */
  | 'REFERENCE_UNKNOWN'
  /** No name was given and the store holds several images. */
  | 'REFERENCE_AMBIGUOUS'
  | 'MANIFEST_UNKNOWN'
  | 'BLOB_UNKNOWN'
  | 'MEDIA_TYPE_UNSUPPORTED'
  | 'PLATFORM_INVALID'
  /** An index without an image for the platform asked for. */
  | 'PLATFORM_MISSING'
  /** Something hostile or absurd in number, size or depth. */
  | 'LIMIT_EXCEEDED'
  | 'STORE_READ_ONLY'
  /** A place on this host that holds images, and is not there, not readable or not understood. */
  | 'STORAGE_UNAVAILABLE'
  /** A layer of containers-storage whose bytes cannot be made again from what is kept of it. */
  | 'LAYER_UNAVAILABLE'
  /** Nobody answers at the address of a Docker daemon, or who asks may not. */
  | 'DAEMON_UNAVAILABLE'
  /** A Docker daemon answered, but not with what was asked for. */
  | 'DAEMON_FAILED'
  /** An image that does not stand on the base that it is to leave. */
  | 'REBASE_IMPOSSIBLE'
  /** A change that cannot be made to this image or index. */
  | 'EDIT_INVALID'
