import type { Blueprint } from '@bootable/blueprint'
import type { BootloaderName, Firmware } from '@bootable/bootloader'
import type { OperationOptions, RuntimeOptions } from '@bootable/bytes'
import type { RootFilesystem, SectorSize } from '@bootable/disk'
import type { LayerCache } from '@bootable/oci'
import type { Policy, VerifyImageOptions } from '@bootable/signatures'
import type { LayoutName } from './layout.ts'

/** A policy, and what it has to know of the image that it judges. */
export interface ImagePolicy extends Pick<VerifyImageOptions, 'location' | 'verifier'> {
  readonly policy: Policy
}

/** What can be said about a machine, whatever it is written to. */
export interface MachineOptions extends OperationOptions, RuntimeOptions {
  /** Refuses an image that it does not accept, before any layer is read. @defaultValue none: any image will do */
  readonly policy?: ImagePolicy
  readonly blueprint?: Blueprint
  /**
   * Filesystem of the root, and of whatever is asked for without a type.
   * @defaultValue what the image's install configuration or its own partition table asks for, else `ext4`
   */
  readonly rootfs?: RootFilesystem
  /**
   * Bytes of the disk, exactly; `minimum` for the smallest that holds everything.
   * @defaultValue what the partition table says; of the standard one 10 GiB, or more where twice the image
   * needs it
   */
  readonly size?: number | 'minimum'
  /** Bytes of the disk's logical sectors. From 4096 machines start by UEFI alone. @defaultValue 512 */
  readonly sectorSize?: SectorSize
  /**
   * Opens every encrypted volume, whatever blueprint and image say. It appears in no plan and no message.
   * @defaultValue the passphrases of the blueprint, or of the image's own partition table
   */
  readonly luksPassphrase?: string | Uint8Array
  /** @defaultValue `auto` */
  readonly bootloader?: BootloaderName
  /** What the disk has to start on. @defaultValue everything that the image has a boot loader for */
  readonly firmware?: readonly Firmware[]
  /** Demands that every program up to the kernel is signed; what is missing becomes a warning. */
  readonly secureBoot?: 'required'
  /** Leaves out `rw console=tty0 console=ttyS0`. @defaultValue true */
  readonly defaultKernelArguments?: boolean
  /** @defaultValue `auto` */
  readonly layout?: LayoutName
  /**
   * Where a machine of the ostree layout updates from: `quay.io/example/os:latest`, `docker://…`, `oci:…`, or a
   * reference of ostree's own such as `ostree-image-signed:docker://…`. It has to be given for that layout.
   */
  readonly targetReference?: string
  /** Name of the stateroot. @defaultValue what the image's install configuration says, else `default` */
  readonly stateroot?: string
  /** Where decompressed layers are kept. @defaultValue memory */
  readonly cache?: LayerCache
  /** All uuids and salts follow from it. @defaultValue derived from manifest digest and blueprint */
  readonly seed?: string
  /** Seconds since 1970 for everything that is made. @defaultValue the image's creation time */
  readonly clock?: number
}
