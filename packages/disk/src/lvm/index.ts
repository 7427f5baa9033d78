export type { LvmErrorCode } from './errors.ts'
export { EXTENT_SIZE as LVM_EXTENT_SIZE } from './format.ts'
export {
  type LogicalVolumeLayout,
  logicalVolumesSize,
  type PlanVolumeGroupOptions,
  planVolumeGroup,
  type VolumeGroupLayout,
} from './layout.ts'
export { isPhysicalVolume, type LogicalVolume, readVolumeGroup, type VolumeGroup } from './reader.ts'
export type { LvmUuid } from './uuid.ts'
export { openLogicalVolume, type WriteVolumeGroupOptions, writeVolumeGroup } from './writer.ts'
