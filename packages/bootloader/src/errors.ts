/** The cases in which no boot loader can be installed. */
export type BootloaderErrorCode =
  /** The image ships no boot loader, or not the one that was asked for. */
  | 'BOOTLOADER_MISSING'
  /** No boot loader of this project starts machines of that architecture. */
  | 'BOOTLOADER_UNSUPPORTED'
  /** The mount points hold no FAT filesystem that could be the EFI system partition. */
  | 'BOOTLOADER_NO_ESP'
  /** The kernel, or its initramfs, is not where the system says that it is. */
  | 'BOOTLOADER_NO_KERNEL'
  /** GRUB for a BIOS lacks files that are needed; `details.missing`. */
  | 'BOOTLOADER_MODULES_MISSING'
  /** GRUB's files for a BIOS are of two builds, which do not work together. */
  | 'BOOTLOADER_MODULES_MIXED'
  /** A BIOS could not load GRUB; `details.limit` in bytes. */
  | 'BOOTLOADER_CORE_TOO_LARGE'
  /** Stub and kernel cannot become one unified kernel image. */
  | 'BOOTLOADER_UKI_IMPOSSIBLE'
  /** A kernel argument, or a file name, that cannot be handed through the boot loader unchanged. */
  | 'BOOTLOADER_TEXT_INVALID'
