export * from './choose.ts'
export type { PayloadFile } from './efi/payload.ts'
export type { BootProgram, SecureBootFacts } from './efi/secure-boot.ts'
export { type BootEntry, formatBootEntry, parseBootEntry } from './entries/entry.ts'
export * from './entries/read.ts'
export type { BootloaderErrorCode } from './errors.ts'
export type { Firmware, FirmwareSupport } from './firmware.ts'
export type { GrubChoice } from './grub/choose.ts'
export { type BootMenuItem, formatGrubConfig, type GrubMenu } from './grub/config.ts'
export type { GrubConsole } from './grub/console.ts'
export { formatGrubEntriesConfig, type GrubEntriesMenu } from './grub/entries-config.ts'
export { type GrubBootCode, readBootCode } from './grub-bios/reader.ts'
export {
  type BootloaderFacts,
  type DescribedBootloader,
  type InstallBootloaderOptions,
  type InstalledBootloader,
  installBootloader,
} from './install.ts'
export { type PeImage, type PeSection, readPe } from './pe/reader.ts'
export type { SystemdBootChoice } from './systemd-boot/choose.ts'
export type { UkiChoice } from './uki/choose.ts'
export { readUki, type UnifiedKernel } from './uki/reader.ts'
export { type UkiParts, writeUki } from './uki/writer.ts'
