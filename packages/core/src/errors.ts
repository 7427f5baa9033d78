/** What can go wrong in the front door itself; each step adds the codes of its own package. */
export type CoreErrorCode =
  | 'SOURCE_INVALID'
  | 'SOURCE_UNSUPPORTED'
  | 'OUTPUT_TYPE_UNKNOWN'
  | 'OUTPUT_MISSING'
  | 'INSPECT_UNKNOWN'
  | 'CLOCK_INVALID'
  /** The machine on a disk does not follow an image. */
  | 'UPDATE_UNAVAILABLE'
  /** A machine of the ostree layout has to know where it updates from. */
  | 'TARGET_REFERENCE_MISSING'
  /** Nobody gave a passphrase for an encrypted volume; `details.volumes` lists their uuids. */
  | 'PASSPHRASE_MISSING'
  /** An image is to go where none can, or several to one place. */
  | 'DESTINATION_INVALID'
