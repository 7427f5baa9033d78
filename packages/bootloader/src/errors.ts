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
  /** A kernel argument, or a file name, that cannot be handed through the boot loader unchanged. */
  | 'BOOTLOADER_TEXT_INVALID'
