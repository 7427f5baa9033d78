// The steps of the pipeline in their order, each usable alone; `buildDisk` strings them together.

export { type Blueprint, loadBlueprint, parseBlueprint } from '@bootable/blueprint'
export {
  type BootloaderChoice,
  type DescribedBootloader,
  type Firmware,
  installBootloader,
} from '@bootable/bootloader'
export {
  type DiskPlan,
  type DiskPlanContent,
  type DiskPlanRow,
  type DiskPlanVolume,
  describePlan,
  drawPlan,
  openDisk,
  planDisk,
  planMounts,
  type RootFilesystem,
  writeDisk,
} from '@bootable/disk'
export { writeQcow2 } from '@bootable/disk/qcow2'
export { copyImage, type Image, type ImageStore, openImage, unpackImage } from '@bootable/oci'
export {
  checkUpdate,
  type Deployment,
  deployOstree,
  readDeployments,
  readSysroot,
  type Sysroot,
  type UpdateCheck,
} from '@bootable/ostree'
export { registryStore } from '@bootable/registry'
export { deployPlain, type InstalledSystem, type MountPoint, writeMounts } from '@bootable/system'

export type { CoreErrorCode } from './errors.ts'
export {
  type OpenDiskSourceOptions,
  type OpenedDiskSource,
  openDiskSource,
} from './formats/open-disk-source.ts'
export type { SpoolOptions } from './formats/spool.ts'
export { type FormatOptions, writeFormat } from './formats/write-format.ts'
export {
  type ArtifactFile,
  DISK_ARTIFACT_TYPE,
  type DiskArtifactOptions,
  diskArtifact,
} from './images/artifact.ts'
export { type ContainerDiskOptions, containerDisk } from './images/container-disk.ts'
export type { ComposedImage } from './images/stream-store.ts'
export * from './inspect/boot.ts'
export {
  type DiskReport,
  inspectDisk,
  type OpenedDiskFile,
  openDiskFile,
  type PartitionReport,
} from './inspect/disk.ts'
export * from './inspect/disk-system.ts'
export * from './inspect/image.ts'
export * from './inspect/manifest.ts'
export * from './inspect/system.ts'
export * from './output-types.ts'
export * from './pipeline/build.ts'
export * from './pipeline/layout.ts'
export type { ImagePolicy, MachineOptions } from './pipeline/options.ts'
export * from './pipeline/output.ts'
export * from './pipeline/prepare.ts'
export * from './seed.ts'
export * from './source.ts'
export * from './update/check-disk-update.ts'
