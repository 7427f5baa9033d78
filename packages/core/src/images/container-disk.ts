import type { ByteSource, OperationOptions, RuntimeOptions } from '@bootable/bytes'
import { utf8 } from '@bootable/bytes'
import { type ImageConfig, type ImageLayer, MEDIA_TYPE, memberContent, writeLayerTar } from '@bootable/oci'
import { createFile, createTree, ensureDirectory, putInode } from '@bootable/tree'
import { type ComposedImage, composeImage } from './stream-store.ts'

/** Options of {@link containerDisk}. */
export interface ContainerDiskOptions extends OperationOptions, RuntimeOptions {
  /** Of the machine, as Go names it: `amd64`, `arm64`. @defaultValue 'amd64' */
  readonly architecture?: string
  /** Seconds since 1970 that image and files bear. @defaultValue 0 */
  readonly clock?: number
  readonly labels?: Readonly<Record<string, string>>
}

/** The user that KubeVirt's machines run as: "Disks and Volumes", containerDisk. */
const QEMU = 107

/**
 * A KubeVirt containerDisk: an image whose one layer holds the disk as `/disk/disk.qcow2`, which belongs to
 * the user that QEMU runs as. The layer is not compressed, since the disk is.
 *
 * @param disk a qcow2 file, whole
 */
export async function containerDisk(
  disk: ByteSource,
  options: ContainerDiskOptions = {},
): Promise<ComposedImage> {
  const { architecture = 'amd64', clock = 0, labels } = options
  const mtime = { seconds: clock, nanoseconds: 0 }
  const tree = createTree({ mtime })
  ensureDirectory(tree, 'disk', { mtime, uid: QEMU, gid: QEMU })
  putInode(tree, 'disk/disk.qcow2', createFile(disk, { mode: 0o440, uid: QEMU, gid: QEMU, mtime }))

  const image = composeImage('containerdisk', options)
  const layer = await image.add(MEDIA_TYPE.layer, () => writeLayerTar(tree, { root: false }))
  const config: ImageConfig = {
    created: new Date(clock * 1000).toISOString().replace('.000Z', 'Z'),
    architecture,
    os: 'linux',
    ...(labels && { config: { Labels: labels } }),
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  }
  const raw = utf8(JSON.stringify(config))
  return image.finish({
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: await image.add(MEDIA_TYPE.config, () => chunksOf(raw)),
    layers: [layer],
  })
}

/** The disk in a containerDisk: the only file in its `/disk`, with nothing beside; `undefined` for other images. */
export function findContainerDisk(layers: readonly ImageLayer[]): ByteSource | undefined {
  const found = new Map<string, ByteSource>()
  for (const { content, members } of layers) {
    for (const member of members) {
      if (member.type === 'file') found.set(member.path, memberContent(content, member))
    }
  }
  const [only] = found
  return found.size === 1 && only && /^disk\/[^/]+$/.test(only[0]) ? only[1] : undefined
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
