/** The cases of a `BootableError` that this package throws. */
export type SystemErrorCode =
  /** The tree or its labels lack what makes an image bootable. */
  | 'NOT_BOOTABLE'
  | 'ARCHITECTURE_UNSUPPORTED'
  /** A configuration file of the image is not what its format asks for. */
  | 'CONFIGURATION_INVALID'
  /** An SELinux policy whose regular expressions are too large together. */
  | 'POLICY_TOO_LARGE'
  /** A file of accounts of the image cannot be read. */
  | 'ACCOUNTS_INVALID'
  | 'USER_INVALID'
  | 'GROUP_INVALID'
  /** A user wants a group, or a file an owner, that is not there. */
  | 'GROUP_MISSING'
  | 'USER_MISSING'
  /** No id is left between the limits of login.defs. */
  | 'IDS_EXHAUSTED'
  | 'KEY_INVALID'
  /** A file or directory of the blueprint cannot be put where it should go. */
  | 'FILE_INVALID'
  /** Automatic updates are to be on, and the image has no timer for them. */
  | 'UPDATES_MISSING'
  /** Filesystems that the system could not mount where they should be; `details.problems`. */
  | 'MOUNT_POINT_INVALID'
