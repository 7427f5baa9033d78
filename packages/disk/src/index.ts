export { carveTree } from './disk/carve.ts'
export type { DetectedFilesystem } from './disk/detect.ts'
export { type Disk, type DiskPartition, type OpenDiskOptions, openDisk } from './disk/open-disk.ts'
export type { FoundTable } from './disk/partition-table.ts'
export { readDiskTree } from './disk/read-tree.ts'
export type { DiskContent, DiskVolume } from './disk/volumes.ts'
export { type WriteDiskOptions, type WrittenSystem, writeDisk } from './disk/write-disk.ts'
export type { DiskErrorCode, DiskProblem } from './errors.ts'
export { type GptReadResult, readGpt } from './gpt/reader.ts'
export type { Partition, PartitionTable } from './gpt/table.ts'
export { isPartitionUse, PARTITION_TYPES, type PartitionUse, partitionTypeName } from './gpt/types.ts'
export { writeGpt } from './gpt/writer.ts'
export { type ReadMbrOptions, readMbr } from './mbr/reader.ts'
export { writeMbr } from './mbr/writer.ts'
export {
  type BtrfsContent,
  type FilesystemContent,
  type LuksContent,
  type LvmContent,
  mountsOf,
  type PlannedContent,
  type PlannedSubvolume,
  type PlannedVolume,
  type RawContent,
  type SwapContent,
} from './plan/content.ts'
export { describePlan } from './plan/describe.ts'
export type {
  DiskPlan,
  DiskPlanContent,
  DiskPlanRow,
  DiskPlanVolume,
  PlannedPartition,
} from './plan/disk-plan.ts'
export { drawPlan } from './plan/draw.ts'
export { type DiskOutline, outlineDisk, planMounts } from './plan/mounts.ts'
export type {
  OutlinedSystem,
  PlanDiskOptions,
  PlannedSystem,
  RootFilesystem,
  SectorSize,
} from './plan/options.ts'
export { planDisk } from './plan/plan-disk.ts'
export type { LuksSecrets } from './plan/secrets.ts'
