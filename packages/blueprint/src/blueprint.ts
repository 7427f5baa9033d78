/**
 * What a person wants of a machine, in the words and the spelling of osbuild's blueprint as
 * bootc-image-builder takes it. Sizes are bytes; what was loaded has been checked.
 */
export interface Blueprint {
  readonly name?: string
  readonly description?: string
  readonly version?: string
  readonly customizations: Customizations
}

/** The part of a blueprint that changes the machine. */
export interface Customizations {
  readonly user?: readonly UserCustomization[]
  readonly group?: readonly GroupCustomization[]
  readonly kernel?: KernelCustomization
  readonly bootloader?: BootloaderCustomization
  /** Least sizes of filesystems of the standard partition table. Not together with `disk`. */
  readonly filesystem?: readonly FilesystemCustomization[]
  /** A partition table of one's own. */
  readonly disk?: DiskCustomization
  readonly files?: readonly FileCustomization[]
  readonly directories?: readonly DirectoryCustomization[]
  readonly ignition?: IgnitionCustomization
  /** An extension of this project: other tools that read blueprints refuse it. */
  readonly updates?: UpdatesCustomization
  /** Installer media only. */
  readonly installer?: InstallerCustomization
  /** Installer media only: FIPS mode of the installer. */
  readonly fips?: boolean
  /** Installer media only. */
  readonly iso?: IsoCustomization
}

export interface UserCustomization {
  readonly name: string
  /** The GECOS field: usually the full name. */
  readonly description?: string
  /** A crypt(5) hash is used as it is, anything else is hashed; empty locks the password. */
  readonly password?: string
  /** Public keys for `authorized_keys`, one a line. */
  readonly key?: string
  /** Home directory; empty for none. @defaultValue what useradd(8) of the image would choose */
  readonly home?: string
  readonly shell?: string
  /** Supplementary groups. They must exist or stand under `group`. */
  readonly groups?: readonly string[]
  readonly uid?: number
  readonly gid?: number
  /** Days since 1970 on which the account ends. */
  readonly expiredate?: number
  /** The user must change the password at the first login. */
  readonly force_password_reset?: boolean
}

export interface GroupCustomization {
  readonly name: string
  readonly gid?: number
}

export interface KernelCustomization {
  /** Words for the kernel command line, after all others. */
  readonly append?: string
}

/** What is asked of a boot loader; other boot loaders than GRUB have nothing to ask for. */
export interface BootloaderCustomization {
  readonly grub2?: Grub2Customization
}

/** Terminals of GRUB's menu, by the names that GRUB has for them. */
export interface Grub2Customization {
  readonly terminal_input?: readonly string[]
  readonly terminal_output?: readonly string[]
  /** The whole command that prepares a serial port. */
  readonly serial?: string
}

export interface FilesystemCustomization {
  readonly mountpoint: string
  /** Bytes. A floor: the filesystem may become larger. */
  readonly minsize: number
}

/** A file below `/etc`, `/root`, `/usr/local/bin` or `/usr/local/sbin`. */
export interface FileCustomization {
  readonly path: string
  /** Name or id. @defaultValue root */
  readonly user?: string | number
  /** Name or id. @defaultValue root */
  readonly group?: string | number
  /** Three octal digits, a leading zero allowed. @defaultValue 0644 */
  readonly mode?: string
  readonly data?: string
}

/** A directory below `/etc`. */
export interface DirectoryCustomization {
  readonly path: string
  /** Name or id. @defaultValue root */
  readonly user?: string | number
  /** Name or id. @defaultValue root */
  readonly group?: string | number
  /** Three octal digits, a leading zero allowed. @defaultValue 0755 */
  readonly mode?: string
  /** Makes missing parents. @defaultValue false */
  readonly ensure_parents?: boolean
}

export interface IgnitionCustomization {
  /** Where Ignition finds its configuration at the first boot: a URL, or `empty` for elsewhere. */
  readonly firstboot: { readonly url?: string; readonly empty?: boolean }
}

/** Whether the machine fetches new images by itself. */
export interface UpdatesCustomization {
  /** Enables or masks the timer `bootc-fetch-apply-updates`. @defaultValue the image's own choice */
  readonly enabled?: boolean
}

export interface InstallerCustomization {
  readonly unattended?: boolean
  /** Users, or groups written `%group`. */
  readonly 'sudo-nopasswd'?: readonly string[]
  readonly kickstart?: { readonly contents: string }
  /** D-Bus names of Anaconda modules; `disable` wins. */
  readonly modules?: { readonly enable?: readonly string[]; readonly disable?: readonly string[] }
}

export interface IsoCustomization {
  readonly volume_id?: string
}

/** A partition table in place of the standard one. */
export interface DiskCustomization {
  /** @defaultValue gpt */
  readonly type?: 'gpt' | 'dos'
  /** Bytes. */
  readonly minsize?: number
  /** Bytes in front of the first partition. */
  readonly start_offset?: number
  /** Bytes of a logical sector, a power of two. */
  readonly sector_size?: number
  readonly partitions?: readonly PartitionCustomization[]
}

export type PartitionCustomization = PlainPartition | LvmPartition | BtrfsPartition

/**
 * LUKS2 around a volume: an extension of this project, which other tools that read blueprints refuse.
 * `/boot` cannot have it.
 */
export interface EncryptionCustomization {
  /**
   * What somebody types when the machine starts. Whoever reads the blueprint reads it too: it may be given
   * with the options of the machine instead.
   */
  readonly passphrase?: string
  /** How it is made a key. @defaultValue `argon2id` */
  readonly pbkdf?: 'argon2id' | 'pbkdf2'
  /** @defaultValue `aes-xts-plain64`, the only one */
  readonly cipher?: 'aes-xts-plain64'
  /** Of the LUKS header. @defaultValue none */
  readonly label?: string
  /** Bytes of what is encrypted at a time. @defaultValue 512, or the disk's sectors where they are larger */
  readonly sector_size?: 512 | 4096
}

/** What every partition may say. */
export interface PartitionAttributes {
  /** Bytes. */
  readonly minsize: number
  /** A GUID on a GPT, two hexadecimal digits on a DOS table. */
  readonly part_type?: string
  /** GPT only: at most 36 UTF-16 units. */
  readonly part_label?: string
  /** GPT only. */
  readonly part_uuid?: string
  /** Of all that is in the partition. */
  readonly encryption?: EncryptionCustomization
}

/** The filesystem of a plain partition or of a logical volume. */
export interface FilesystemContent {
  readonly fs_type: 'ext4' | 'xfs' | 'vfat' | 'swap' | 'none'
  /** Absent for swap and none. */
  readonly mountpoint?: string
  readonly label?: string
}

export interface PlainPartition extends PartitionAttributes, FilesystemContent {
  readonly type?: 'plain'
}

export interface LvmPartition extends PartitionAttributes {
  readonly type: 'lvm'
  /** @defaultValue vg00 */
  readonly name?: string
  readonly logical_volumes: readonly LogicalVolume[]
}

export interface LogicalVolume extends FilesystemContent {
  readonly name?: string
  /** Bytes. */
  readonly minsize: number
  /** Of this volume alone. */
  readonly encryption?: EncryptionCustomization
}

export interface BtrfsPartition extends PartitionAttributes {
  readonly type: 'btrfs'
  readonly subvolumes: readonly { readonly name: string; readonly mountpoint: string }[]
}
