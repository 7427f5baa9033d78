import type { Uuid } from '@bootable/bytes'
import type { Architecture } from '@bootable/system'

/**
 * Type GUIDs of partitions: UEFI 2.10, 5.3.3, for the ESP; the Discoverable Partitions Specification for
 * the roots, /usr and XBOOTLDR; GRUB's manual for BIOS boot; the PowerPC platform for PReP.
 */
export const PARTITION_TYPES = {
  esp: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
  xbootldr: 'bc13c2ff-59e6-4262-a352-b275fd6f7172',
  biosBoot: '21686148-6449-6e6f-744e-656564454649',
  prep: '9e1a2d38-c612-4316-aa26-8b49521e5a8b',
  linux: '0fc63daf-8483-4772-8e79-3d69d8477de4',
  swap: '0657fd6d-a4ab-43c4-84e5-0933c84b4f4f',
  lvm: 'e6d6d379-f507-44c2-a23c-238f2a3df928',
  luks: 'ca7d7ccb-63ed-4c53-861c-1742536059cc',
  rootX86: '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
  rootArm64: 'b921b045-1df0-41c3-af44-4c6f280d3fae',
  rootPpc64Le: 'c31c45e6-3f39-412e-80fb-4809c4980599',
  rootS390x: '5eead9a9-fe09-4a1e-a1d7-520d00531306',
  rootRiscv64: '72ec70a6-cf74-40e6-bd49-4bda08e8f224',
  usrX86: '8484680c-9521-48c6-9c11-b0720656f69e',
  usrArm64: 'b0e01050-ee5f-4390-949a-9101b17104e9',
  usrPpc64Le: '15bb03af-77e7-4d4a-b12b-c0d084f7491c',
  usrS390x: '8a4f5770-50aa-4ed3-874a-99b710db6fea',
  usrRiscv64: 'beaec34b-8442-439b-a40b-984381ed097d',
} as const

/** What a partition is for; a key of {@link PARTITION_TYPES}. */
export type PartitionUse = keyof typeof PARTITION_TYPES

const NAMES: Readonly<Record<PartitionUse, string>> = {
  esp: 'EFI system',
  xbootldr: 'Linux extended boot',
  biosBoot: 'BIOS boot',
  prep: 'PowerPC PReP boot',
  linux: 'Linux filesystem',
  swap: 'Linux swap',
  lvm: 'Linux LVM',
  luks: 'Linux LUKS',
  rootX86: 'Linux root (x86-64)',
  rootArm64: 'Linux root (ARM-64)',
  rootPpc64Le: 'Linux root (PPC64LE)',
  rootS390x: 'Linux root (S390X)',
  rootRiscv64: 'Linux root (RISC-V-64)',
  usrX86: 'Linux /usr (x86-64)',
  usrArm64: 'Linux /usr (ARM-64)',
  usrPpc64Le: 'Linux /usr (PPC64LE)',
  usrS390x: 'Linux /usr (S390X)',
  usrRiscv64: 'Linux /usr (RISC-V-64)',
}

/** Types of root filesystems (Discoverable Partitions Specification). */
export const ROOT_PARTITION_TYPES: Readonly<Record<Architecture, Uuid>> = {
  x86_64: PARTITION_TYPES.rootX86,
  aarch64: PARTITION_TYPES.rootArm64,
  ppc64le: PARTITION_TYPES.rootPpc64Le,
  s390x: PARTITION_TYPES.rootS390x,
  riscv64: PARTITION_TYPES.rootRiscv64,
}

/** Types of filesystems for `/usr` alone (Discoverable Partitions Specification). */
export const USR_PARTITION_TYPES: Readonly<Record<Architecture, Uuid>> = {
  x86_64: PARTITION_TYPES.usrX86,
  aarch64: PARTITION_TYPES.usrArm64,
  ppc64le: PARTITION_TYPES.usrPpc64Le,
  s390x: PARTITION_TYPES.usrS390x,
  riscv64: PARTITION_TYPES.usrRiscv64,
}

/** Type GUIDs of root filesystems, one an architecture. */
export const ROOT_TYPES: readonly string[] = Object.values(ROOT_PARTITION_TYPES)

const USES = new Map<string, PartitionUse>(
  Object.entries(PARTITION_TYPES).map(([use, guid]) => [guid, use as PartitionUse]),
)

/** What the types of a DOS table say, which tell much less apart. */
const DOS_NAMES: Readonly<Record<string, string>> = {
  '00': 'Empty',
  '05': 'Extended',
  '06': 'FAT16',
  '07': 'HPFS/NTFS/exFAT',
  '0b': 'W95 FAT32',
  '0c': 'W95 FAT32 (LBA)',
  '0e': 'W95 FAT16 (LBA)',
  '0f': 'W95 extended (LBA)',
  '41': 'PPC PReP boot',
  '82': 'Linux swap',
  '83': 'Linux',
  '85': 'Linux extended',
  '8e': 'Linux LVM',
  ee: 'GPT',
  ef: 'EFI (FAT-12/16/32)',
}

/** What fdisk(8) calls a partition type; the type itself where it is not known here. */
export function partitionTypeName(type: string): string {
  const use = USES.get(type)
  return use ? NAMES[use] : (DOS_NAMES[type] ?? type)
}

/**
 * The type of a DOS table for what a GUID says, as osbuild has it.
 * @param guid one of {@link PARTITION_TYPES}
 */
export function dosPartitionType(guid: string): string {
  const types: Readonly<Partial<Record<PartitionUse, string>>> = {
    esp: 'ef',
    biosBoot: '00',
    prep: '41',
    swap: '82',
    lvm: '8e',
  }
  return types[USES.get(guid) as PartitionUse] ?? '83'
}

/** Whether a partition's type, of a GPT or of a DOS table, stands for this use. */
export function isPartitionUse(type: string, use: PartitionUse): boolean {
  return (
    type === PARTITION_TYPES[use] || (type.length === 2 && type === dosPartitionType(PARTITION_TYPES[use]))
  )
}
