export type { ContainerErrorCode } from '../blocks/errors.ts'
export { isVhdx } from './detect.ts'
export { readVhdx, type VhdxInfo, type VhdxSource } from './reader.ts'
export { type VhdxSummary, type WriteVhdxOptions, writeVhdx } from './writer.ts'
