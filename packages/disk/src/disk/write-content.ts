import {
  type BlockDevice,
  BootableError,
  type ByteSource,
  type OperationOptions,
  type RuntimeOptions,
} from '@bootable/bytes'
import { writeSwap } from '@bootable/filesystems/swap'
import { createTree, type FileTree } from '@bootable/tree'
import type { DiskErrorCode } from '../errors.ts'
import { createLuksVolume } from '../luks/index.ts'
import { openLogicalVolume, writeVolumeGroup } from '../lvm/index.ts'
import type { LuksContent, LvmContent, PlannedContent } from '../plan/content.ts'
import type { LuksSecrets } from '../plan/secrets.ts'
import { writeBtrfsVolume } from './btrfs-volume.ts'
import { composeVolume } from './compose.ts'
import { driverOf } from './drivers.ts'

/** What contents are written from. */
export interface ContentSource extends OperationOptions, RuntimeOptions {
  /** By mount point. */
  readonly trees: ReadonlyMap<string, FileTree>
  readonly secrets: LuksSecrets
  readonly sectorSize: number
  /** Sectors in front of the partition. */
  readonly hiddenSectors: number
  /** Seconds since 1970, for what has no files. */
  readonly time: number
  /** A file of the image. @throws BootableError */
  file(path: string): ByteSource
}

/** What is to be written for a content, and the words for it. */
export function contentLabel(content: PlannedContent): string {
  return content.type === 'filesystem' ? content.mount.type : content.type
}

/**
 * Checks that a content can be written: that passphrases, drivers and files are there.
 * @throws BootableError `SECRET_MISSING`, `FILESYSTEM_UNSUPPORTED`, `RAW_FILE_MISSING`
 */
export function checkContents(
  contents: readonly PlannedContent[],
  source: Pick<ContentSource, 'secrets' | 'file'>,
): void {
  const missing: string[] = []
  const check = (content: PlannedContent | undefined): void => {
    if (content?.type === 'filesystem') driverOf(content.mount.type)
    if (content?.type === 'raw') source.file(content.path)
    if (content?.type === 'lvm') for (const volume of content.volumes) check(volume.content)
    if (content?.type !== 'luks') return
    if (!source.secrets.has(content.luks.uuid)) missing.push(content.luks.uuid)
    check(content.content)
  }
  contents.forEach(check)
  if (missing.length === 0) return
  throw new BootableError<DiskErrorCode>(
    'SECRET_MISSING',
    `no passphrase was given for the encrypted volume${missing.length > 1 ? 's' : ''} ${missing.join(', ')}`,
    { details: { volumes: missing } },
  )
}

/** Writes what is to be in a partition or volume. */
export async function writeContent(
  content: PlannedContent,
  device: BlockDevice,
  source: ContentSource,
): Promise<void> {
  const { trees, sectorSize, hiddenSectors, signal, onProgress, runtime } = source
  signal?.throwIfAborted()
  const operation = {
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
    ...(runtime && { runtime }),
  }
  switch (content.type) {
    case 'filesystem': {
      const { type, path } = content.mount
      const tree = trees.get(path) ?? createTree({ mtime: { seconds: source.time, nanoseconds: 0 } })
      await driverOf(type).write(tree, device, { ...operation, content, sectorSize, hiddenSectors })
      return
    }
    case 'btrfs':
      await writeBtrfsVolume(composeVolume(content.subvolumes, trees), device, content, operation)
      return
    case 'swap': {
      const { uuid, label } = content.mount
      const { pageSize } = content
      await writeSwap(device, { uuid, label, ...(pageSize !== undefined && { pageSize }), ...operation })
      return
    }
    case 'lvm':
      await writeGroup(content, device, source)
      return
    case 'luks':
      await writeEncrypted(content, device, source)
      return
    case 'raw':
      await copyFile(source.file(content.path), device, signal)
  }
}

async function writeGroup(content: LvmContent, device: BlockDevice, source: ContentSource): Promise<void> {
  const { signal, onProgress, time } = source
  const operation = { ...(signal && { signal }), ...(onProgress && { onProgress }) }
  for (const { name, content: inside } of content.volumes) {
    if (inside) await writeContent(inside, openLogicalVolume(content.group, device, name), source)
  }
  await writeVolumeGroup(content.group, device, { ...operation, time })
}

async function writeEncrypted(
  { luks, content }: LuksContent,
  device: BlockDevice,
  source: ContentSource,
): Promise<void> {
  const { signal, onProgress, runtime, secrets } = source
  const passphrase = secrets.get(luks.uuid) as Uint8Array
  const operation = {
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
    ...(runtime && { runtime }),
  }
  const volume = await createLuksVolume(device, { ...operation, ...luks, passphrase })
  // Its sectors are those that are encrypted at a time.
  const sectorSize = Math.max(source.sectorSize, luks.sectorSize)
  await writeContent(content, volume, { ...source, sectorSize })
  await volume.flush?.()
}

const COPY_CHUNK = 1024 * 1024

async function copyFile(
  file: ByteSource,
  device: BlockDevice,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let done = 0; done < file.size; done += COPY_CHUNK) {
    signal?.throwIfAborted()
    const chunk = new Uint8Array(Math.min(COPY_CHUNK, file.size - done))
    await file.read(done, chunk)
    await device.write(done, chunk)
  }
}
