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
