import { collect, memorySource, portableRuntime, utf8 } from '@bootable/bytes'
import {
  blobOf,
  type Descriptor,
  digestBytes,
  type ImageConfig,
  type ImageManifest,
  type ImageStore,
  MEDIA_TYPE,
  memoryStore,
  writeLayerTar,
} from '@bootable/oci'
import type { FileTree } from '@bootable/tree'
import { appLayer, baseLayer, toolsLayer } from './layers.ts'

/** When the sample says that it was made. */
export const SAMPLE_CREATED = '2025-01-01T00:00:00Z'

/** The name of the sample in its store. */
export const SAMPLE_REFERENCE = 'latest'

/** What may differ from one sample to another. */
export interface SampleImageOptions {
  /** As an image's configuration names it. @defaultValue `amd64` */
  readonly architecture?: string
  /** The lowest layer: kernel and boot loader. @defaultValue {@link baseLayer} */
  readonly base?: FileTree
}

/**
 * A bootable container image from source: three gzip layers with links, whiteouts, an opaque directory
 * and extended attributes; a kernel and a boot loader of the project's own making; an application that
 * the last layer adds. The same bytes on every host.
 */
export async function createSampleImage({
  architecture = 'amd64',
  base = baseLayer(),
}: SampleImageOptions = {}): Promise<ImageStore> {
  const store = memoryStore({ name: 'sample' })
  const put = async (mediaType: string, data: Uint8Array): Promise<Descriptor> => ({
    ...(await store.putBlob(blobOf(memorySource(data)))),
    mediaType,
  })

  const layers: Descriptor[] = []
  const diffIds: ReturnType<typeof digestBytes>[] = []
  for (const tree of [base, toolsLayer(), appLayer()]) {
    const { tar, gzip } = await packLayer(tree)
    diffIds.push(digestBytes(tar))
    layers.push(await put(MEDIA_TYPE.layerGzip, gzip))
  }
  const config: ImageConfig = {
    created: SAMPLE_CREATED,
    architecture,
    os: 'linux',
    config: {
      Labels: { 'containers.bootc': '1', 'org.opencontainers.image.version': '1' },
      // Of no meaning to a machine; real images have them.
      Cmd: ['/usr/bin/app'],
      ExposedPorts: { '3000/tcp': {} },
    },
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: ['base', 'tools', 'app'].map((name) => ({
      created: SAMPLE_CREATED,
      created_by: `COPY ${name} /`,
    })),
  }
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: await put(MEDIA_TYPE.config, utf8(JSON.stringify(config))),
    layers,
  }
  const raw = utf8(JSON.stringify(manifest))
  await store.putManifest(raw, { mediaType: MEDIA_TYPE.manifest, reference: SAMPLE_REFERENCE })
  return store
}

/** The portable gzip, so that digests do not depend on the host's zlib. */
async function packLayer(tree: FileTree): Promise<{ tar: Uint8Array; gzip: Uint8Array }> {
  const tar = await collect(writeLayerTar(tree, { root: false }))
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield tar
  }
  return { tar, gzip: await collect(portableRuntime.gzip(chunks(), { level: 6 })) }
}
