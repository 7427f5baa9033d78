import { BootableError } from '@bootable/bytes'
import type { InstalledSystem, MountPoint } from '@bootable/system'
import type { Timestamp } from '@bootable/tree'
import type { BootloaderErrorCode } from './errors.ts'
import type { GrubConsole } from './grub/console.ts'

/** Where things go that a boot loader reads, and how it finds them. */
export interface BootPlaces {
  /**
   * The EFI system partition as a path in the sysroot: `boot/efi`, `efi` or `boot`. A disk for a BIOS needs
   * none.
   */
  readonly esp?: string
  /** `boot`, where that is a FAT filesystem beside the EFI system partition: XBOOTLDR. */
  readonly xbootldr?: string
  /** UUID of the filesystem that holds `/boot`. */
  readonly bootUuid: string
  readonly bootType: MountPoint['type']
  /** Whether that filesystem is on a logical volume of LVM2. */
  readonly isLogical: boolean
  /** Whether it is inside of LUKS, where no boot loader of this project reads. */
  readonly isEncrypted: boolean
  /**
   * What `/boot` is called on that filesystem: empty where it is a filesystem of its own, `/boot` on
   * the root filesystem, with the subvolume in front where GRUB would have to go through one.
   */
  readonly bootPrefix: string
}

/** The two kinds of partition tables. */
export type PartitionTableType = 'gpt' | 'dos'

/** What the installers of the single boot loaders are given. */
export interface Installation {
  readonly system: InstalledSystem
  /** The filesystems of the finished disk. */
  readonly mounts: readonly MountPoint[]
  readonly places: BootPlaces
  /** What finds partitions on the disk. */
  readonly partitionTable: PartitionTableType
  /** The whole kernel command line. */
  readonly commandLine: string
  /** Time stamp of everything that is made. */
  readonly clock: Timestamp
  /** Seconds for which the menu is shown. */
  readonly timeout: number
  /** Tries for an entry of systemd-boot. */
  readonly tries?: number
  /** Terminals of GRUB's menu. */
  readonly grubConsole?: GrubConsole
  readonly signal?: AbortSignal
}

/** Where EFI system partitions are mounted, the most usual place first (Boot Loader Specification). */
const ESP_MOUNTS = ['/boot/efi', '/efi', '/boot']

/** @throws BootableError `BOOTLOADER_UNSUPPORTED` where no root filesystem is mounted */
export function locateBoot(mounts: readonly MountPoint[], layout: InstalledSystem['layout']): BootPlaces {
  const at = (path: string): MountPoint | undefined => mounts.find((mount) => mount.path === path)
  // ostree keeps symbolic links in /boot, which FAT has none of.
  const places = ESP_MOUNTS.filter((path) => layout === 'plain' || path !== '/boot')
  const esp = places.find((path) => at(path)?.type === 'vfat')
  const boot = at('/boot') ?? at('/')
  if (boot === undefined) {
    throw new BootableError<BootloaderErrorCode>('BOOTLOADER_UNSUPPORTED', 'nothing is mounted at /', {
      details: { mounts: mounts.map(describeMount) },
    })
  }
  const isIn = (type: 'lvm' | 'luks'): boolean => boot.layers?.some((layer) => layer.type === type) ?? false
  const top = subvolumePath(boot)
  return {
    ...(esp !== undefined && { esp: esp.slice(1) }),
    ...(esp !== '/boot' && boot.path === '/boot' && boot.type === 'vfat' && { xbootldr: 'boot' }),
    bootUuid: boot.uuid,
    bootType: boot.type,
    isLogical: isIn('lvm'),
    isEncrypted: isIn('luks'),
    bootPrefix: boot.path === '/boot' ? top : `${top}/boot`,
  }
}

/** GRUB starts at the top of a btrfs and heeds no default subvolume. */
function subvolumePath({ type, options }: MountPoint): string {
  const name = type === 'btrfs' ? /(?:^|,)subvol=\/?([^,]*)/.exec(options)?.[1] : undefined
  return name === undefined || name === '' ? '' : `/${name}`
}

function describeMount({ path, type }: MountPoint): string {
  return `${path} (${type})`
}

/**
 * The EFI system partition, for what is started by UEFI.
 * @throws BootableError `BOOTLOADER_NO_ESP`
 */
export function requireEsp({ places, mounts }: Pick<Installation, 'places' | 'mounts'>): string {
  if (places.esp !== undefined) return places.esp
  throw new BootableError<BootloaderErrorCode>(
    'BOOTLOADER_NO_ESP',
    `no FAT filesystem is mounted at ${ESP_MOUNTS.join(', ')}`,
    {
      details: { mounts: mounts.map(describeMount) },
      hint: 'a machine that starts by UEFI needs an EFI system partition; or ask for a BIOS alone (--firmware bios), or for no boot loader',
    },
  )
}
