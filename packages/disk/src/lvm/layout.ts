import { isReservedVolumeName } from '@bootable/blueprint/rules'
import { alignUp, BootableError, formatSize } from '@bootable/bytes'
import type { LvmErrorCode } from './errors.ts'
import { DATA_OFFSET, EXTENT_SIZE, SECTOR } from './format.ts'
import { type LvmUuid, seededLvmUuid } from './uuid.ts'

/** A volume group on its only physical volume. Plain JSON. */
export interface VolumeGroupLayout {
  readonly name: string
  readonly uuid: LvmUuid
  readonly physicalVolume: {
    readonly uuid: LvmUuid
    /** Bytes of the device: a partition, say. */
    readonly size: number
    /** Where the first extent starts, in bytes. */
    readonly dataOffset: number
    readonly extentCount: number
  }
  /** Bytes. */
  readonly extentSize: number
  readonly volumes: readonly LogicalVolumeLayout[]
}

/** A linear logical volume. */
export interface LogicalVolumeLayout {
  readonly name: string
  readonly uuid: LvmUuid
  readonly firstExtent: number
  readonly extentCount: number
  /** Bytes from the start of the physical volume. */
  readonly offset: number
  /** Bytes: whole extents. */
  readonly size: number
}

/** What {@link planVolumeGroup} is asked for. */
export interface PlanVolumeGroupOptions {
  readonly name: string
  /** All ids depend on it, and on the names. */
  readonly seed: string
  /** Bytes of the physical volume. */
  readonly size: number
  /** In the order in which they are to lie; sizes in bytes are rounded up to whole extents. */
  readonly volumes: readonly { readonly name: string; readonly size: number }[]
}

/** Bytes of a physical volume that has room for volumes of these sizes, and not an extent more. */
export function logicalVolumesSize(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + alignUp(size, EXTENT_SIZE), DATA_OFFSET)
}

/**
 * Lays out a volume group: one volume behind the other, in extents of 4 MiB from 1 MiB on. What is left
 * stays free.
 *
 * @throws BootableError `LVM_OPTION_INVALID` with all problems, `LVM_NO_SPACE`
 */
export function planVolumeGroup(options: PlanVolumeGroupOptions): VolumeGroupLayout {
  const { name, seed, size } = options
  const problems = findProblems(options)
  if (problems.length > 0) {
    throw new BootableError<LvmErrorCode>('LVM_OPTION_INVALID', problems.join('\n'), {
      details: { problems },
    })
  }
  const available = Math.max(0, Math.floor((size - DATA_OFFSET) / EXTENT_SIZE))
  let next = 0
  const volumes = options.volumes.map((volume): LogicalVolumeLayout => {
    const extentCount = Math.ceil(volume.size / EXTENT_SIZE)
    const firstExtent = next
    next += extentCount
    return {
      name: volume.name,
      uuid: seededLvmUuid(seed, `lvm volume ${name}/${volume.name}`),
      firstExtent,
      extentCount,
      offset: DATA_OFFSET + firstExtent * EXTENT_SIZE,
      size: extentCount * EXTENT_SIZE,
    }
  })
  if (next > available || available === 0) {
    const needed = DATA_OFFSET + Math.max(next, 1) * EXTENT_SIZE
    throw new BootableError<LvmErrorCode>(
      'LVM_NO_SPACE',
      `volume group ${name} needs a physical volume of ${needed} bytes (${formatSize(needed)}), there are ${size} (${formatSize(size)})`,
      { details: { needed, size } },
    )
  }
  return {
    name,
    uuid: seededLvmUuid(seed, `lvm group ${name}`),
    physicalVolume: {
      uuid: seededLvmUuid(seed, `lvm physical volume ${name}`),
      // `dev_size` counts sectors; a device ends where its last whole one does.
      size: size - (size % SECTOR),
      dataOffset: DATA_OFFSET,
      extentCount: available,
    },
    extentSize: EXTENT_SIZE,
    volumes,
  }
}

/** Device-mapper's names, `group-volume` with dashes doubled, must have fewer characters (`DM_NAME_LEN`). */
const MAX_DM_NAME = 127
function findProblems({ name, size, volumes }: PlanVolumeGroupOptions): string[] {
  const problems: string[] = []
  const group = nameProblem(name)
  if (group) problems.push(`volume group ${JSON.stringify(name)}: the name ${group}`)
  if (!Number.isSafeInteger(size) || size < 0) problems.push(`volume group ${name}: ${size} bytes`)
  const seen = new Set<string>()
  for (const volume of volumes) {
    const where = `logical volume ${JSON.stringify(volume.name)}`
    const problem = nameProblem(volume.name) ?? volumeNameProblem(name, volume.name)
    if (problem) problems.push(`${where}: the name ${problem}`)
    if (seen.has(volume.name)) problems.push(`${where}: the name stands twice`)
    seen.add(volume.name)
    if (!Number.isSafeInteger(volume.size) || volume.size <= 0)
      problems.push(`${where}: ${volume.size} bytes`)
  }
  return problems
}

/** The rules of lvm(8), "VALID NAMES". */
function nameProblem(name: string): string | undefined {
  if (!/^[A-Za-z0-9+_.-]+$/.test(name)) return 'may have letters, digits, and + _ . - only'
  if (name.startsWith('-')) return 'may not start with a dash'
  if (name === '.' || name === '..') return 'may not be . or ..'
  return name.length > MAX_DM_NAME ? `has more than ${MAX_DM_NAME} characters` : undefined
}

function volumeNameProblem(group: string, name: string): string | undefined {
  if (isReservedVolumeName(name)) return 'is one that lvm keeps for itself'
  const length = `${group}-${name}`.length + `${group}${name}`.replace(/[^-]/g, '').length
  return length > MAX_DM_NAME ? `is too long for group ${group}` : undefined
}
