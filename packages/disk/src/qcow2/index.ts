export { isQcow2 } from './detect.ts'
export type { Qcow2Info } from './header.ts'
export { type Qcow2Source, type ReadQcow2Options, readQcow2 } from './reader.ts'
export { type Qcow2Summary, type WriteQcow2Options, writeQcow2 } from './writer.ts'
