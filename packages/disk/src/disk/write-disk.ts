import { type BlockDevice, type OperationOptions, type RuntimeOptions, sliceDevice } from '@bootable/bytes'
import type { InstalledSystem } from '@bootable/system'
import { mountsOf } from '../plan/content.ts'
import type { DiskPlan } from '../plan/disk-plan.ts'
import { imageFile } from '../plan/image-file.ts'
import type { LuksSecrets } from '../plan/secrets.ts'
import { placeBootCode, writeBootCode } from './boot-code.ts'
import { carveTree } from './carve.ts'
import { checkAnyTable, writeAnyTable } from './partition-table.ts'
import { type ContentSource, checkContents, contentLabel, writeContent } from './write-content.ts'

/** Options of {@link writeDisk}. */
export interface WriteDiskOptions extends OperationOptions, RuntimeOptions {
  /** Passphrases of the encrypted volumes, by the uuid of each. */
  readonly secrets?: LuksSecrets
}

/** The part of an installed system that goes onto a disk. */
export type WrittenSystem = Pick<InstalledSystem, 'sysroot' | 'deployment' | 'bootCode'> &
  Partial<Pick<InstalledSystem, 'root'>>

/**
 * Writes the disk of a plan: every content into its partition, and last the partition table, so that a cut
 * run leaves nothing that passes for a disk. The system's boot code goes into the BIOS boot partition, or in
 * front of the first partition of a DOS table, and, up to the disk's signature, into the first sector. Other
 * partitions without a content stay as they are.
 *
 * @param device reads as zero where nothing was written yet, and has at least `plan.size` bytes
 * @throws BootableError `DEVICE_TOO_SMALL`, `PARTITION_TABLE_INVALID`, `BOOT_CODE_WITHOUT_PLACE`,
 * `BOOT_CODE_TOO_LARGE`, `SECRET_MISSING`, `RAW_FILE_MISSING`, before anything is written; what the
 * filesystems throw
 */
export async function writeDisk(
  plan: DiskPlan,
  system: WrittenSystem,
  device: BlockDevice,
  options: WriteDiskOptions = {},
): Promise<void> {
  const { signal, onProgress, runtime, secrets = new Map() } = options
  signal?.throwIfAborted()
  checkAnyTable(plan, device)
  const bootPlace = system.bootCode && placeBootCode(plan, system.bootCode)
  const mounts = plan.partitions.flatMap(({ content }) => mountsOf(content))
  const paths = mounts.flatMap(({ type, path }) => (type === 'swap' ? [] : [path]))
  const operation = { ...(signal && { signal }), ...(onProgress && { onProgress }) }
  const source: Omit<ContentSource, 'hiddenSectors'> = {
    ...operation,
    ...(runtime && { runtime }),
    trees: carveTree(system.sysroot, paths, system),
    secrets,
    sectorSize: plan.sectorSize,
    time: Math.max(0, system.sysroot.root.mtime.seconds),
    file: (path) => imageFile(system, path),
  }
  const work = plan.partitions.flatMap((partition) =>
    partition.content ? [{ partition, content: partition.content }] : [],
  )
  checkContents(
    work.map(({ content }) => content),
    source,
  )

  for (const { partition, content } of work) {
    await writeContent(content, sliceDevice(device, partition.start, partition.size), {
      ...source,
      ...relabel(operation, `${partition.name} (${contentLabel(content)})`),
      hiddenSectors: partition.start / plan.sectorSize,
    })
  }
  if (system.bootCode && bootPlace) await writeBootCode(device, bootPlace, system.bootCode)
  await writeAnyTable(plan, device, operation)
}

/** A filesystem knows its own name only; on a disk it is the partition that people look for. */
function relabel({ onProgress }: OperationOptions, label: string): OperationOptions {
  if (!onProgress) return {}
  return { onProgress: (event) => onProgress(event.type === 'start' ? { ...event, label } : event) }
}
