import {
  BootableError,
  type ByteSource,
  FormatError,
  type OperationOptions,
  type RuntimeOptions,
} from '@bootable/bytes'
import { readLuks } from '../luks/index.ts'
import { readVolumeGroup } from '../lvm/index.ts'
import type { LuksSecrets } from '../plan/secrets.ts'
import { type DetectedFilesystem, detectFilesystem } from './detect.ts'

/** What is in a partition or volume. */
export interface DiskContent {
  readonly filesystem?: DetectedFilesystem
  /** Logical volumes of a volume group; the one inside of an encrypted volume that could be opened. */
  readonly volumes?: readonly DiskVolume[]
}

/** A volume inside a partition, as device-mapper would show it. */
export interface DiskVolume extends DiskContent {
  /** Device-mapper's name: `vg00-rootlv`, or `luks-` and the uuid. */
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Its bytes. @throws FormatError */
  open(): ByteSource
}

/** Options of {@link findContent}. */
export interface FindContentOptions extends OperationOptions, RuntimeOptions {
  /** Passphrases by the uuid of the encrypted volume. */
  readonly secrets?: LuksSecrets
  /** The passphrase of every encrypted volume that is not among `secrets`. */
  readonly passphrase?: Uint8Array
}

/** More levels are not looked into: nobody has a use for so many. */
const MAX_DEPTH = 4

/**
 * Looks into a partition: what filesystem it has, and which volumes are in it. Encrypted volumes are opened
 * where there is a passphrase, and left closed where there is none.
 *
 * @throws BootableError `LUKS_PASSPHRASE_WRONG`
 */
export async function findContent(
  source: ByteSource,
  options: FindContentOptions = {},
  depth = 0,
): Promise<DiskContent> {
  options.signal?.throwIfAborted()
  const filesystem = await detectFilesystem(source, options)
  if (!filesystem) return {}
  if (depth >= MAX_DEPTH) return { filesystem }
  const volumes = await findVolumes(source, filesystem, options, depth)
  return volumes.length > 0 ? { filesystem, volumes } : { filesystem }
}

async function findVolumes(
  source: ByteSource,
  { type, uuid }: DetectedFilesystem,
  options: FindContentOptions,
  depth: number,
): Promise<DiskVolume[]> {
  try {
    if (type === 'LVM2_member') return await findLogical(source, options, depth)
    if (type === 'crypto_LUKS') return await findEncrypted(source, uuid, options, depth)
  } catch (error) {
    // What is damaged is shown without what would be in it.
    if (!(error instanceof FormatError)) throw error
  }
  return []
}

async function findLogical(
  source: ByteSource,
  options: FindContentOptions,
  depth: number,
): Promise<DiskVolume[]> {
  const group = await readVolumeGroup(source)
  const volumes: DiskVolume[] = []
  for (const { name, size, open } of group.volumes) {
    const mapped = `${escapeName(group.name)}-${escapeName(name)}`
    volumes.push({ name: mapped, size, open, ...(await findReadable(open, options, depth)) })
  }
  return volumes
}

/** Nothing is known of a volume of a kind that cannot be read, such as a snapshot, but that it is there. */
async function findReadable(
  open: () => ByteSource,
  options: FindContentOptions,
  depth: number,
): Promise<DiskContent> {
  try {
    return await findContent(open(), options, depth + 1)
  } catch (error) {
    if (error instanceof FormatError) return {}
    throw error
  }
}

async function findEncrypted(
  source: ByteSource,
  uuid: string,
  options: FindContentOptions,
  depth: number,
): Promise<DiskVolume[]> {
  const { secrets, passphrase } = options
  const secret = secrets?.get(uuid) ?? passphrase
  if (!secret) return []
  const opened = await unlock(source, secret, options)
  const content = await findContent(opened, options, depth + 1)
  return [{ name: `luks-${uuid}`, size: opened.size, open: () => opened, ...content }]
}

async function unlock(
  source: ByteSource,
  passphrase: Uint8Array,
  options: FindContentOptions,
): Promise<ByteSource> {
  const volume = await readLuks(source, options)
  try {
    return await volume.unlock(passphrase)
  } catch (error) {
    if (!BootableError.is(error) || error.code !== 'LUKS_PASSPHRASE_WRONG') throw error
    throw new BootableError(error.code, `${error.message} (volume ${volume.uuid})`, {
      details: { ...error.details, uuid: volume.uuid },
      cause: error,
    })
  }
}

/** Device-mapper's names have a dash between group and volume; those inside of a name are doubled. */
export function escapeName(name: string): string {
  return name.replaceAll('-', '--')
}
