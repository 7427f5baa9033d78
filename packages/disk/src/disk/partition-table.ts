import { type BlockDevice, type ByteSource, FormatError, type OperationOptions } from '@bootable/bytes'
import { readGpt } from '../gpt/reader.ts'
import type { PartitionTable } from '../gpt/table.ts'
import { checkPartitionTable, writeGpt } from '../gpt/writer.ts'
import { readMbr } from '../mbr/reader.ts'
import { checkMbr, writeMbr } from '../mbr/writer.ts'

/** @throws BootableError `PARTITION_TABLE_INVALID`, `DEVICE_TOO_SMALL` */
export function checkAnyTable(table: PartitionTable, device: BlockDevice): void {
  if (table.type === 'dos') checkMbr(table, device)
  else checkPartitionTable(table, device)
}

/** Writes a partition table of either kind. */
export function writeAnyTable(
  table: PartitionTable,
  device: BlockDevice,
  options: OperationOptions = {},
): Promise<void> {
  return table.type === 'dos' ? writeMbr(table, device, options) : writeGpt(table, device, options)
}

/** A table as it was found. */
export interface FoundTable extends PartitionTable {
  readonly type: 'gpt' | 'dos'
  /** `backup`: the primary table of a GPT was damaged. */
  readonly copy: 'primary' | 'backup'
}

/**
 * Reads the partition table of a disk, whichever it has.
 * @throws FormatError of the GPT, where there is no DOS table either
 */
export async function readAnyTable(source: ByteSource, options: OperationOptions = {}): Promise<FoundTable> {
  try {
    return { ...(await readGpt(source, options)), type: 'gpt' }
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    try {
      const table = await readMbr(source, options)
      if (table.partitions.length > 0) return { ...table, type: 'dos', copy: 'primary' }
    } catch (other) {
      if (!(other instanceof FormatError)) throw other
    }
    throw error
  }
}
