import { gzipSync } from 'node:zlib'
import { memorySource, utf8 } from '@bootable/bytes'
import {
  blobOf,
  type Descriptor,
  digestBytes,
  type ImageConfig,
  type ImageManifest,
  type ImageStore,
  MEDIA_TYPE,
  type Platform,
} from '@bootable/oci'

/** A tar archive with one file in it: enough for what only moves layers about. */
export function tinyTar(name: string, content: string): Uint8Array {
  const data = utf8(content)
  const tar = new Uint8Array(512 + Math.ceil(data.length / 512) * 512 + 1024)
  const put = (offset: number, text: string): void => tar.set(utf8(text), offset)
  put(0, name)
  put(100, '0000644\0')
  put(108, '0000000\0')
  put(116, '0000000\0')
  put(124, `${data.length.toString(8).padStart(11, '0')}\0`)
  put(136, '14524770000\0')
  put(148, '        ')
  put(156, '0')
  put(257, 'ustar\x0000')
  const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  put(148, `${sum.toString(8).padStart(6, '0')}\0 `)
  tar.set(data, 512)
  return tar
}

/** Puts bytes into a store as they are. */
export async function putBytes(store: ImageStore, bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
  const descriptor = { mediaType, digest: digestBytes(bytes), size: bytes.length }
  return store.putBlob(blobOf(memorySource(bytes)), { descriptor })
}

/** What {@link putTestImage} may be told. */
export interface TestImageOptions {
  readonly platform?: Platform
  readonly compression?: 'none' | 'gzip'
  /** Content of the files, one a layer. @defaultValue two layers */
  readonly files?: readonly string[]
  readonly labels?: Readonly<Record<string, string>>
}

/** Puts a small image into a store; every layer holds one file. */
export async function putTestImage(
  store: ImageStore,
  reference: string | undefined,
  options: TestImageOptions = {},
): Promise<Descriptor> {
  const { platform = { architecture: 'amd64', os: 'linux' }, compression = 'gzip' } = options
  const tars = (options.files ?? ['lower\n', 'upper\n']).map((text, index) => tinyTar(`file${index}`, text))
  const config: ImageConfig = {
    created: '2025-06-15T15:06:40Z',
    ...platform,
    config: { Cmd: ['/sbin/init'], Labels: options.labels ?? {} },
    rootfs: { type: 'layers', diff_ids: tars.map((tar) => digestBytes(tar)) },
    history: tars.map((_, index) => ({ created_by: `layer ${index}` })),
  }
  const mediaType = compression === 'gzip' ? MEDIA_TYPE.layerGzip : MEDIA_TYPE.layer
  const layers: Descriptor[] = []
  for (const tar of tars) {
    layers.push(
      await putBytes(store, compression === 'gzip' ? new Uint8Array(gzipSync(tar)) : tar, mediaType),
    )
  }
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: await putBytes(store, utf8(JSON.stringify(config)), MEDIA_TYPE.config),
    layers,
  }
  return store.putManifest(utf8(JSON.stringify(manifest)), {
    mediaType: MEDIA_TYPE.manifest,
    ...(reference !== undefined && { reference }),
  })
}
