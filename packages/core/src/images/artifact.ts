import { type ByteSource, type OperationOptions, type RuntimeOptions, streamSource } from '@bootable/bytes'
import {
  type Annotations,
  artifactManifest,
  type Descriptor,
  EMPTY_JSON,
  type ImageManifest,
  MEDIA_TYPE,
  TITLE,
} from '@bootable/oci'
import type { DiskFormat, FileCompression } from '../output-types.ts'
import { type ComposedImage, composeImage } from './stream-store.ts'

/** The `artifactType` of a disk that lies in a registry. */
export const DISK_ARTIFACT_TYPE = 'application/vnd.bootable.disk.v1'

const CREATED = 'org.opencontainers.image.created'

/** Media types of disk files, as shared-mime-info has them. */
const MEDIA_TYPES: Readonly<Record<DiskFormat | FileCompression, string>> = {
  raw: 'application/x-raw-disk-image',
  qcow2: 'application/x-qemu-disk',
  vmdk: 'application/x-vmdk-disk',
  vhd: 'application/x-vhd-disk',
  vhdx: 'application/x-vhdx-disk',
  gce: 'application/gzip',
  ova: 'application/x-virtualbox-ova',
  gz: 'application/gzip',
  zst: 'application/zstd',
}

/** A file on its way into an artifact. */
export interface ArtifactFile {
  /** Its name, without folders. */
  readonly name: string
  readonly format: DiskFormat
  readonly compression?: FileCompression
  readonly content: ByteSource
}

/** Options of {@link diskArtifact}. */
export interface DiskArtifactOptions extends OperationOptions, RuntimeOptions {
  /** Seconds since 1970. @defaultValue 0 */
  readonly clock?: number
  /** Annotations of the manifest. */
  readonly annotations?: Annotations
}

/**
 * Files of a disk as an OCI artifact: one layer a file, as it is, with its name in an annotation, so that
 * `oras pull` gives the files back (image-spec 1.1, "Guidelines for Artifact Usage").
 */
export async function diskArtifact(
  files: readonly ArtifactFile[],
  options: DiskArtifactOptions = {},
): Promise<ComposedImage> {
  const { clock = 0, annotations } = options
  const image = composeImage('artifact', options)
  const layers: Descriptor[] = []
  for (const { name, format, compression, content } of files) {
    const layer = await image.add(MEDIA_TYPES[compression ?? format], () => streamSource(content))
    layers.push({ ...layer, annotations: { [TITLE]: name } })
  }
  const config = await image.add(MEDIA_TYPE.empty, async function* () {
    yield EMPTY_JSON
  })
  const created = new Date(clock * 1000).toISOString().replace('.000Z', 'Z')
  return image.finish(
    artifactManifest({
      artifactType: DISK_ARTIFACT_TYPE,
      config,
      layers,
      annotations: { [CREATED]: created, ...annotations },
    }),
  )
}

/** Whether a manifest is that of an artifact of disks, ours or another tool's: a config that is none. */
export function isArtifact({ config }: ImageManifest): boolean {
  return config.mediaType === MEDIA_TYPE.empty
}

/** The layer of an artifact that is a disk, and the only one that is. */
export function findArtifactDisk({ layers }: ImageManifest): Descriptor | undefined {
  return layers.length === 1 ? layers[0] : undefined
}
