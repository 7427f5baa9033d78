import { type BlockDevice, type OperationOptions, type RuntimeOptions, sliceDevice } from '@bootable/bytes'
import type { InstalledSystem } from '@bootable/system'
import type { FileTree } from '@bootable/tree'
import { checkPartitionTable, writeGpt } from '../gpt/writer.ts'
import { mountsOf } from '../plan/content.ts'
import type { DiskPlan } from '../plan/disk-plan.ts'
import { placeBootCode, writeBootCode } from './boot-code.ts'
import { carveTree } from './carve.ts'
import { driverOf } from './drivers.ts'

/** Options of {@link writeDisk}. */
export interface WriteDiskOptions extends OperationOptions, RuntimeOptions {}

/**
 * Writes the disk of a plan: every filesystem into its partition, and last the partition table, so that
 * a cut run leaves nothing that passes for a disk. The system's boot code goes into the BIOS boot partition
 * and, up to the disk's signature, into the first sector. Other partitions without a filesystem stay as they
 * are.
 *
 * @param device reads as zero where nothing was written yet, and has at least `plan.size` bytes
 * @throws BootableError `DEVICE_TOO_SMALL`, `PARTITION_TABLE_INVALID`, `BOOT_CODE_WITHOUT_PLACE`,
 * `BOOT_CODE_TOO_LARGE`, before anything is written; what the filesystems throw
 */
export async function writeDisk(
  plan: DiskPlan,
  system: Pick<InstalledSystem, 'sysroot' | 'deployment' | 'bootCode'>,
  device: BlockDevice,
  options: WriteDiskOptions = {},
): Promise<void> {
  options.signal?.throwIfAborted()
  checkPartitionTable(plan, device)
  const bootPartition = system.bootCode && placeBootCode(plan, system.bootCode)
  const paths = plan.partitions.flatMap(({ content }) => mountsOf(content).map(({ path }) => path))
  const trees = carveTree(system.sysroot, paths, system)
  const work = plan.partitions.flatMap((partition) => {
    const { content } = partition
    return content?.type === 'filesystem'
      ? [{ partition, content, driver: driverOf(content.mount.type) }]
      : []
  })
  for (const { partition, content, driver } of work) {
    const slice = sliceDevice(device, partition.start, partition.size)
    await driver.write(trees.get(content.mount.path) as FileTree, slice, {
      ...options,
      ...relabel(options, `${partition.name} (${content.mount.type})`),
      content,
      sectorSize: plan.sectorSize,
      hiddenSectors: partition.start / plan.sectorSize,
    })
  }
  if (system.bootCode && bootPartition) await writeBootCode(device, bootPartition, system.bootCode)
  await writeGpt(plan, device, options)
}

/** A filesystem knows its own name only; on a disk it is the partition that people look for. */
function relabel({ onProgress }: OperationOptions, label: string): OperationOptions {
  if (!onProgress) return {}
  return { onProgress: (event) => onProgress(event.type === 'start' ? { ...event, label } : event) }
}
