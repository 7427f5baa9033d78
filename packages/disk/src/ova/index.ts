export { isOva, type ReadOvaOptions, readOva } from './reader.ts'
export { type OvaSummary, type OvaTarget, type WriteOvaOptions, writeOva } from './writer.ts'
