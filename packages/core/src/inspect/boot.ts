import { type BootProgram, type GrubBootCode, readBootCode, readPe } from '@bootable/bootloader'
import { type ByteSource, FormatError } from '@bootable/bytes'
import { type Disk, isPartitionUse } from '@bootable/disk'
import { walkTree } from '@bootable/tree'

/** What firmware finds to start on a disk. */
export interface DiskBootReport {
  /** GRUB that a BIOS starts; absent where the boot sector is not GRUB's. */
  readonly bios?: GrubBootCode
  /** Why GRUB's boot sector would lead to nothing. */
  readonly biosFinding?: string
  /** The EFI programs of the EFI system partition, boot loaders and unified kernel images. */
  readonly efi: readonly BootProgram[]
}

/**
 * Looks for boot code in the first sector and for EFI programs.
 * @param source the bytes of the disk
 * @throws FormatError for an EFI system partition that cannot be read
 */
export async function inspectBoot(source: ByteSource, disk: Disk): Promise<DiskBootReport> {
  return { ...(disk.sectorSize === 512 && (await inspectBios(source))), efi: await listEfiPrograms(disk) }
}

async function inspectBios(source: ByteSource): Promise<Omit<DiskBootReport, 'efi'>> {
  try {
    const bios = await readBootCode(source)
    return bios ? { bios } : {}
  } catch (error) {
    if (error instanceof FormatError) return { biosFinding: error.message }
    throw error
  }
}

async function listEfiPrograms(disk: Disk): Promise<BootProgram[]> {
  const programs: BootProgram[] = []
  for (const partition of disk.partitions) {
    if (!isPartitionUse(partition.type, 'esp') || partition.filesystem?.type !== 'vfat') continue
    for (const { path, inode } of walkTree(await disk.readTree(partition))) {
      if (inode.type !== 'file' || !/^efi\/.*\.efi$/i.test(path)) continue
      programs.push({ path, isSigned: await isSigned(inode.content) })
    }
  }
  return programs
}

async function isSigned(content: ByteSource): Promise<boolean> {
  try {
    return (await readPe(content)).certificates !== undefined
  } catch (error) {
    // No program, whatever its name is.
    if (error instanceof FormatError) return false
    throw error
  }
}
