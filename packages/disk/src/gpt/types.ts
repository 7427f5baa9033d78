/**
 * Type GUIDs of partitions: UEFI 2.10, 5.3.3, for the ESP; the Discoverable Partitions Specification for
 * the roots and XBOOTLDR; GRUB's manual for BIOS boot; the PowerPC platform for PReP.
 */
export const PARTITION_TYPES = {
  esp: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
  xbootldr: 'bc13c2ff-59e6-4262-a352-b275fd6f7172',
  biosBoot: '21686148-6449-6e6f-744e-656564454649',
  prep: '9e1a2d38-c612-4316-aa26-8b49521e5a8b',
  linux: '0fc63daf-8483-4772-8e79-3d69d8477de4',
  swap: '0657fd6d-a4ab-43c4-84e5-0933c84b4f4f',
  lvm: 'e6d6d379-f507-44c2-a23c-238f2a3df928',
  rootX86: '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
  rootArm64: 'b921b045-1df0-41c3-af44-4c6f280d3fae',
  rootPpc64Le: 'c31c45e6-3f39-412e-80fb-4809c4980599',
  rootS390x: '5eead9a9-fe09-4a1e-a1d7-520d00531306',
  rootRiscv64: '72ec70a6-cf74-40e6-bd49-4bda08e8f224',
} as const

const NAMES: Readonly<Record<string, string>> = {
  [PARTITION_TYPES.esp]: 'EFI system',
  [PARTITION_TYPES.xbootldr]: 'Linux extended boot',
  [PARTITION_TYPES.biosBoot]: 'BIOS boot',
  [PARTITION_TYPES.prep]: 'PowerPC PReP boot',
  [PARTITION_TYPES.linux]: 'Linux filesystem',
  [PARTITION_TYPES.swap]: 'Linux swap',
  [PARTITION_TYPES.lvm]: 'Linux LVM',
  [PARTITION_TYPES.rootX86]: 'Linux root (x86-64)',
  [PARTITION_TYPES.rootArm64]: 'Linux root (ARM-64)',
  [PARTITION_TYPES.rootPpc64Le]: 'Linux root (PPC64LE)',
  [PARTITION_TYPES.rootS390x]: 'Linux root (S390X)',
  [PARTITION_TYPES.rootRiscv64]: 'Linux root (RISC-V-64)',
}

/** Type GUIDs of root filesystems, one an architecture. */
export const ROOT_TYPES: readonly string[] = [
  PARTITION_TYPES.rootX86,
  PARTITION_TYPES.rootArm64,
  PARTITION_TYPES.rootPpc64Le,
  PARTITION_TYPES.rootS390x,
  PARTITION_TYPES.rootRiscv64,
]

/** What fdisk(8) calls a partition type; the GUID itself where the type is not known here. */
export function partitionTypeName(type: string): string {
  return NAMES[type] ?? type
}
