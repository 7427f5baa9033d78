/** Codes of the errors that this package throws besides `FormatError`. */
export type OstreeErrorCode =
  /** A device, a fifo or a socket: ostree stores files, symbolic links and directories only. */
  | 'OSTREE_UNSUPPORTED_FILE'
  /** A file name that ostree does not allow. */
  | 'OSTREE_INVALID_NAME'
  /** An extended attribute without a name, or with a zero byte in it. */
  | 'OSTREE_INVALID_XATTR'
  /** Text with a zero byte or half a surrogate pair, which GVariant cannot hold. */
  | 'OSTREE_INVALID_TEXT'
  /** A ref whose name is no path of words. */
  | 'OSTREE_INVALID_REF'
  /** A metadata object above 128 MiB. */
  | 'OSTREE_OBJECT_TOO_LARGE'
  /** A commit or a tree names an object that the repository does not hold. */
  | 'OSTREE_OBJECT_MISSING'
  /** There is no repository at the path. */
  | 'OSTREE_NO_REPOSITORY'
  /** A repository in a mode other than `bare`. */
  | 'OSTREE_UNSUPPORTED_MODE'
  /** A configuration file in the format of GLib is none. */
  | 'OSTREE_INVALID_KEY_FILE'
  /** A value of `prepare-root.conf` that ostree does not know either. */
  | 'OSTREE_INVALID_PREPARE_ROOT'
  /** A text that is no container reference of ostree. */
  | 'OSTREE_INVALID_REFERENCE'
  /** A tree that is not the physical root of a machine with ostree. */
  | 'OSTREE_NO_SYSROOT'
  /** A boot entry that is no short text. */
  | 'OSTREE_INVALID_BOOT_ENTRY'
  /** A deployment that was not made from a container image, or does not follow one. */
  | 'OSTREE_NO_IMAGE'
  /** Entries of a layer that contradict each other, or need what only another layer has. */
  | 'OSTREE_INVALID_LAYER'
  /** Layers that should hold an ostree commit, and do not hold it, or not all of it. */
  | 'OSTREE_INVALID_ENCAPSULATION'
  /** An object of an encapsulated image that is not what its name says. */
  | 'OSTREE_CHECKSUM_MISMATCH'
  /** The image carries a unified kernel image, which starts no deployment of ostree. */
  | 'OSTREE_UNIFIED_KERNEL'
  /** An image without `/etc`, or with two of them. */
  | 'OSTREE_INVALID_ETC'
  /** A name that cannot be that of a stateroot. */
  | 'OSTREE_INVALID_STATEROOT'
  /** A blueprint would change what belongs to the commit. */
  | 'OSTREE_READ_ONLY'
  /** The image asks for a composefs that only its own builder can sign, or that needs fs-verity on the disk. */
  | 'OSTREE_COMPOSEFS_UNSUPPORTED'
