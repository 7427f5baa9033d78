/**
 * What an image says about its own installation: the keys of `bootc install` configuration that this
 * project heeds (bootc-install-config(5)).
 */
export interface InstallConfiguration {
  /** `install.filesystem.root.type`, or its older spelling `install.root-fs-type`. */
  readonly rootFilesystem?: string
  /** `install.kargs`, of all files one after the other. */
  readonly kargs: readonly string[]
  /** `install.karg-deletes` */
  readonly kargDeletes: readonly string[]
  /** `install.stateroot` */
  readonly stateroot?: string
  /** `install.root-mount-spec`: replaces `UUID=…` in `root=`; empty for no `root=` at all. */
  readonly rootMountSpec?: string
  /** `install.boot-mount-spec`: the same for `boot=`. */
  readonly bootMountSpec?: string
  /** `install.bootloader` */
  readonly bootloader?: string
  /** `install.discoverable-partitions` */
  readonly discoverablePartitions?: boolean
}
