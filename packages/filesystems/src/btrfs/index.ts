export type { BtrfsErrorCode } from './errors.ts'
export type {
  BtrfsCompression,
  BtrfsSizeOptions,
  BtrfsSubvolumeOptions,
  WriteBtrfsOptions,
} from './options.ts'
export { type BtrfsMeasure, measureBtrfs } from './plan.ts'
export { type BtrfsLayout, writeBtrfs } from './writer.ts'
