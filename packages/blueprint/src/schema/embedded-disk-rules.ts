import type { RefinementCtx } from 'zod'
import type {
  EmbeddedBtrfs,
  EmbeddedFilesystem,
  EmbeddedPartition,
  EmbeddedPartitionTable,
  EmbeddedVolumeGroup,
} from '../embedded-disk.ts'
import { labelProblem } from '../labels.ts'
import { checkFilesystemContent, checkMountPoint, partitionTypeProblem } from './mount-rules.ts'
import { type Report, uniqueness } from './uniqueness.ts'

export const NO_ROOT = 'none of them is mounted at /'

type Path = readonly PropertyKey[]

/** What is around a payload. */
interface Surroundings {
  readonly isLogical?: boolean
  readonly isEncrypted?: boolean
}

/** The rules of `disk.yaml` that span more than one key. */
export function checkEmbeddedTable(table: EmbeddedPartitionTable, context: RefinementCtx): void {
  const report: Report = (path, message) => {
    context.addIssue({ code: 'custom', path: [...path], message })
  }
  const mounted = uniqueness(report, 'mount point')
  const group = uniqueness(report, 'volume group')
  const used = uniqueness(report, 'uuid')
  const { type, partitions, grain_size: grain, sector_size: sectorSize = 512 } = table
  if (grain !== undefined && (grain === 0 || grain % sectorSize !== 0)) {
    report(['grain_size'], `must be whole sectors of ${sectorSize} bytes`)
  }
  checkTableUuid(table, report)
  if (type === 'dos' && partitions.length > 4) {
    report(['partitions'], `a dos table holds 4 partitions, these are ${partitions.length}`)
  }
  let hasRoot = false

  const checkFilesystem = (payload: EmbeddedFilesystem, path: Path, around: Surroundings): void => {
    const { type: filesystem, mountpoint, label } = payload
    checkFilesystemContent({ type: filesystem, mountpoint, label, ...around }, path, { type: 'type' }, report)
    checkFilesystemUuid(payload, path, report)
    checkMkfsOptions(payload, path, report)
    used(payload.uuid?.toLowerCase(), [...path, 'uuid'])
    mounted(mountpoint, [...path, 'mountpoint'])
    if (mountpoint === '/') hasRoot = true
  }

  const checkBtrfs = (payload: EmbeddedBtrfs, path: Path, { isEncrypted }: Surroundings): void => {
    const { uuid, label, mountpoint, subvolumes = [] } = payload
    const problem = label === undefined ? undefined : labelProblem('btrfs', label)
    if (problem !== undefined) report([...path, 'label'], problem)
    const named = uniqueness(report, 'name')
    used(uuid?.toLowerCase(), [...path, 'uuid'])
    const places = [
      { mountpoint, at: path },
      ...subvolumes.map((subvolume, index) => ({
        mountpoint: subvolume.mountpoint,
        at: [...path, 'subvolumes', index],
      })),
    ]
    subvolumes.forEach(({ name }, index) => {
      named(name, [...path, 'subvolumes', index, 'name'])
    })
    for (const { mountpoint: place, at } of places) {
      if (place === undefined) continue
      const here = [...at, 'mountpoint']
      mounted(place, here)
      checkMountPoint(place, here, report)
      if (place === '/boot/efi') report(here, '/boot/efi must be vfat')
      if (place === '/boot' && isEncrypted) {
        report(here, '/boot cannot be encrypted: the boot loader has to read it')
      }
      if (place === '/') hasRoot = true
    }
  }

  const checkGroup = (
    { name = 'vg00', logical_volumes = [] }: EmbeddedVolumeGroup,
    path: Path,
    around: Surroundings,
  ): void => {
    group(name, [...path, 'name'])
    const named = uniqueness(report, 'name')
    logical_volumes.forEach((volume, index) => {
      const here = [...path, 'logical_volumes', index]
      named(volume.name, [...here, 'name'])
      checkPayload(volume, here, { ...around, isLogical: true })
    })
  }

  const checkPayload = (
    content: Pick<EmbeddedPartition, 'payload_type' | 'payload'>,
    path: Path,
    around: Surroundings,
  ): void => {
    const here = [...path, 'payload']
    const { payload_type, payload } = content as EmbeddedPartition
    if (payload_type === 'filesystem') checkFilesystem(payload, here, around)
    else if (payload_type === 'btrfs') checkBtrfs(payload, here, around)
    else if (payload_type === 'lvm') checkGroup(payload, here, around)
    else if (payload_type === 'luks') {
      used(payload.uuid?.toLowerCase(), [...here, 'uuid'])
      checkPayload(payload, here, { ...around, isEncrypted: true })
    } else if (payload_type === 'swap') {
      used(payload.uuid?.toLowerCase(), [...here, 'uuid'])
      const problem = payload.label === undefined ? undefined : labelProblem('swap', payload.label)
      if (problem !== undefined) report([...here, 'label'], problem)
    }
  }

  partitions.forEach((partition, index) => {
    const path = ['partitions', index]
    checkAttributes(table.type, partition, path, report)
    used(partition.uuid?.toLowerCase(), [...path, 'uuid'])
    checkPayload(partition, path, {})
  })
  if (!hasRoot) report(['partitions'], NO_ROOT)
}

function checkTableUuid({ type, uuid }: EmbeddedPartitionTable, report: Report): void {
  if (uuid === undefined) return
  const isDiskId = /^(?:0x)?[0-9a-fA-F]{8}$/.test(uuid)
  if (type === 'dos' && !isDiskId) report(['uuid'], 'must be eight hexadecimal digits on a dos table')
  if (type === 'gpt' && partitionTypeProblem('gpt', uuid) !== undefined) report(['uuid'], 'must be a uuid')
}

function checkAttributes(
  table: 'gpt' | 'dos',
  partition: EmbeddedPartition,
  path: Path,
  report: Report,
): void {
  const problem = partition.type === undefined ? undefined : partitionTypeProblem(table, partition.type)
  if (problem !== undefined) report([...path, 'type'], problem)
  if (table === 'gpt') return
  for (const key of ['label', 'uuid', 'attrs'] as const) {
    if (partition[key] !== undefined) report([...path, key], 'does not exist on a dos table')
  }
}

function checkFilesystemUuid({ type, uuid }: EmbeddedFilesystem, path: Path, report: Report): void {
  if (uuid === undefined) return
  const at = [...path, 'uuid']
  if (type === 'vfat') {
    if (!/^[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}$/.test(uuid)) report(at, 'must be XXXX-XXXX for vfat')
  } else if (partitionTypeProblem('gpt', uuid) !== undefined) report(at, 'must be a uuid')
}

/** The type of filesystem that each option is for. */
const MKFS_OPTIONS = { verity: 'ext4', geometry: 'vfat', agcount: 'xfs' } as const

function checkMkfsOptions({ type, mkfs_options = {} }: EmbeddedFilesystem, path: Path, report: Report): void {
  for (const [key, of] of Object.entries(MKFS_OPTIONS)) {
    if (!(key in mkfs_options) || type === of) continue
    report(
      [...path, 'mkfs_options', key],
      `belongs to ${of}${type === undefined ? ', and there is no type' : ''}`,
    )
  }
}
