export type { BtrfsErrorCode } from './errors.ts'
export type {
  BtrfsCompression,
  BtrfsSizeOptions,
  BtrfsSubvolumeOptions,
  WriteBtrfsOptions,
} from './options.ts'
export { type BtrfsMeasure, measureBtrfs } from './plan.ts'
export { type BtrfsFilesystem, type BtrfsSubvolume, readBtrfs } from './reader.ts'
export { type BtrfsSuperblock, readBtrfsSuperblock } from './superblock.ts'
export { type BtrfsLayout, writeBtrfs } from './writer.ts'
