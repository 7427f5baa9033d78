import { mkdtempSync, rmSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { concatBytes, memorySource, utf8 } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { blobOf, type Descriptor, digestBytes, type ImageStore, type Platform, putImage } from '@bootable/oci'
import { afterAll } from 'vitest'

/** A member of {@link tarOf}: a regular file unless told otherwise. */
export interface TestMember {
  readonly name: string
  readonly content?: Uint8Array | string
  readonly type?: string
  readonly linkName?: string
  /** What the header says instead of the truth. */
  readonly size?: number
}

/** A tar archive made by hand, so that it can be wrong. */
export function tarOf(...members: readonly TestMember[]): Uint8Array {
  const blocks = members.flatMap(({ name, content = '', type = '0', linkName = '', size }) => {
    const data = typeof content === 'string' ? utf8(content) : content
    const header = new Uint8Array(512)
    const put = (offset: number, text: string): void => header.set(utf8(text), offset)
    put(0, name)
    put(100, '0000644\0')
    put(108, '0000000\0')
    put(116, '0000000\0')
    put(124, `${(size ?? data.length).toString(8).padStart(11, '0')}\0`)
    put(136, '14524770000\0')
    put(148, '        ')
    put(156, type)
    put(157, linkName)
    put(257, 'ustar\x0000')
    const sum = header.reduce((total, byte) => total + byte, 0)
    put(148, `${sum.toString(8).padStart(6, '0')}\0 `)
    return [header, data, new Uint8Array((512 - (data.length % 512)) % 512)]
  })
  return concatBytes([...blocks, new Uint8Array(1024)])
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
}

/** Puts a small image into a store; every layer holds one file. */
export function putTestImage(
  store: ImageStore,
  reference: string,
  options: TestImageOptions = {},
): Promise<Descriptor> {
  const { files = ['lower\n', 'upper\n'], platform, compression = 'gzip' } = options
  const layers = files.map(
    (content, index) =>
      async function* () {
        yield tarOf({ name: `file${index}`, content })
      },
  )
  const parts = { layers, created: '2025-06-15T15:06:40Z', ...(platform && { platform }) }
  return putImage(store, parts, { reference, compression, runtime: nodeRuntime })
}

/** A fresh folder, removed after the tests of the file. */
export function temporaryFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'bootable-oci-'))
  afterAll(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Every file below a folder, sorted. */
export async function listFiles(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).sort()
}
