export { type GptReadResult, readGpt } from './gpt/reader.ts'
export type { Partition, PartitionTable } from './gpt/table.ts'
export { PARTITION_TYPES, partitionTypeName } from './gpt/types.ts'
export { writeGpt } from './gpt/writer.ts'
