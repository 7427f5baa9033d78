export { readGce } from './reader.ts'
export { type GceSummary, type WriteGceOptions, writeGce } from './writer.ts'
