import type { EmbeddedPayload } from '@bootable/blueprint'
import { BootableError, utf8 } from '@bootable/bytes'
import {
  type DiskOutline,
  type LuksSecrets,
  outlineDisk,
  type PlanDiskOptions,
  type RootFilesystem,
} from '@bootable/disk'
import { type EmbeddedConfiguration, type InstalledSystem, readEmbeddedConfiguration } from '@bootable/system'
import type { CoreErrorCode } from '../errors.ts'
import type { MachineOptions } from './options.ts'

/** What is asked of a disk, and what is known of it before the system is complete. */
export interface DiskRequest {
  readonly options: PlanDiskOptions
  readonly outline: DiskOutline
  readonly secrets: LuksSecrets
  /** Who mounts, where the image says so. */
  readonly mountStyle?: 'units' | 'fstab' | 'none'
}

/**
 * Puts together what the user and the image ask of a disk. The user's own partitions come first; what an
 * image brings along is heeded as image-builder does: `disk.yaml` in place of the standard table, `filesystem`
 * and `disk` of its blueprint where the user's says neither.
 *
 * @throws BootableError `BLUEPRINT_INVALID` for files of the image, `DISK_OPTIONS_INVALID`,
 * `PASSPHRASE_MISSING`
 */
export async function requestDisk(
  system: InstalledSystem,
  options: MachineOptions & { readonly seed: string },
): Promise<DiskRequest> {
  const { seed, blueprint, size, sectorSize, onProgress } = options
  const embedded = await readEmbeddedConfiguration(system.root)
  for (const file of embedded.files) {
    onProgress?.({ type: 'note', message: `The image brings its own configuration of the disk, ${file}.` })
  }
  const given = blueprint?.customizations ?? {}
  const { filesystem, disk } = given.disk || given.filesystem ? given : (embedded.customizations ?? {})
  const partitionTable = embedded.disk?.partition_table
  const planOptions: PlanDiskOptions = {
    seed,
    rootfs: chooseRootFilesystem(system, embedded, options, disk === undefined),
    ...(size !== undefined && { size }),
    ...(sectorSize !== undefined && { sectorSize }),
    ...(filesystem && { filesystems: filesystem }),
    ...(disk && { disk }),
    ...(partitionTable && { partitionTable }),
  }
  const outline = outlineDisk(system, planOptions)
  warnOfRootFilesystem(outline, options)
  const mountStyle = embedded.disk?.mount_configuration
  return {
    options: planOptions,
    outline,
    secrets: chooseSecrets(outline, options),
    ...(mountStyle && { mountStyle }),
  }
}

/** The order of image-builder: the user, the install configuration, the image's own table. */
function chooseRootFilesystem(
  { installConfiguration }: InstalledSystem,
  embedded: EmbeddedConfiguration,
  { rootfs, onProgress }: MachineOptions,
  heedsTable: boolean,
): RootFilesystem {
  const configured =
    rootfs ?? installConfiguration.rootFilesystem ?? (heedsTable ? tableRoot(embedded) : undefined)
  // A word that is none is refused with everything else that is wrong with the disk.
  if (configured !== undefined) return configured as RootFilesystem
  onProgress?.({
    type: 'note',
    message: 'The image names no root filesystem, so it gets ext4 (--rootfs chooses another).',
  })
  return 'ext4'
}

/** The filesystem that `disk.yaml` has at `/`. */
function tableRoot({ disk }: EmbeddedConfiguration): string | undefined {
  return disk?.partition_table?.partitions.flatMap(rootTypes)[0]
}

function rootTypes(content: Pick<EmbeddedPayload, 'payload_type' | 'payload'>): string[] {
  const { payload_type, payload } = content as EmbeddedPayload
  switch (payload_type) {
    case 'filesystem':
      return payload.mountpoint === '/' && payload.type !== undefined ? [payload.type] : []
    case 'btrfs':
      return [payload, ...(payload.subvolumes ?? [])].some(({ mountpoint }) => mountpoint === '/')
        ? ['btrfs']
        : []
    case 'lvm':
      return payload.logical_volumes?.flatMap(rootTypes) ?? []
    case 'luks':
      return rootTypes(payload)
    default:
      return []
  }
}

/** A partition table may have the last word on the root's type: nobody should believe that he had it. */
function warnOfRootFilesystem({ mounts }: DiskOutline, { rootfs, onProgress }: MachineOptions): void {
  const root = mounts.find(({ path }) => path === '/')
  if (!root || rootfs === undefined || root.type === rootfs) return
  onProgress?.({
    type: 'warning',
    message: `${rootfs} was asked for as the root filesystem, but the partition table says ${root.type}`,
    hint: 'leave out the type of / in the partition table',
  })
}

/** What is given apart has the last word: a passphrase in an image is there for everybody to read. */
function chooseSecrets({ encrypted, secrets }: DiskOutline, { luksPassphrase }: MachineOptions): LuksSecrets {
  if (luksPassphrase !== undefined) {
    const passphrase = typeof luksPassphrase === 'string' ? utf8(luksPassphrase) : luksPassphrase
    if (passphrase.length > 0) return new Map(encrypted.map((uuid) => [uuid, passphrase]))
  }
  const missing = encrypted.filter((uuid) => !secrets.has(uuid))
  if (missing.length === 0) return secrets
  throw new BootableError<CoreErrorCode>(
    'PASSPHRASE_MISSING',
    `nobody gave a passphrase for ${missing.length === 1 ? 'an encrypted volume' : `${missing.length} encrypted volumes`}`,
    {
      details: { volumes: missing },
      hint: 'give luksPassphrase (--luks-passphrase-file FILE), or a passphrase under "encryption" in the blueprint',
    },
  )
}
