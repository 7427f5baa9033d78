import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

/** POSIX.1-1988, 10.1.1: what a member is. */
const TYPE_FLAGS = {
  file: '0',
  hardLink: '1',
  symlink: '2',
  character: '3',
  directory: '5',
  fifo: '6',
  pax: 'x',
}

/** A member of a tar that is made by hand: also one that no writer of ours would write. */
export interface HandMadeMember {
  /** Bytes for a name that is no text. */
  readonly name: string | Uint8Array
  readonly type?: keyof typeof TYPE_FLAGS
  readonly data?: string | Uint8Array
  readonly target?: string
  readonly mode?: number
}

/** A ustar archive (POSIX.1-1988), names taken as they are. */
export function tarOf(members: readonly HandMadeMember[]): Buffer {
  const blocks = members.flatMap(({ name, type = 'file', data = '', target = '', mode = 0o755 }) => {
    const content = Buffer.from(data)
    const header = Buffer.alloc(512)
    const octal = (value: number, at: number, length: number): void => {
      header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at)
    }
    header.set(Buffer.from(name), 0)
    octal(mode, 100, 8)
    octal(0, 108, 8)
    octal(0, 116, 8)
    octal(content.length, 124, 12)
    octal(0, 136, 12)
    header.write(TYPE_FLAGS[type], 156)
    header.write(target, 157)
    header.write('ustar\x0000', 257)
    header.write('        ', 148)
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      148,
      8,
    )
    return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]
  })
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

/** What stands before a member to give it an extended attribute (POSIX.1-2001, pax; star's key). */
export function xattrHeader(name: string, value: string): HandMadeMember {
  const record = ` SCHILY.xattr.${name}=${value}\n`
  // A record counts itself, its own digits included.
  let length = record.length
  while (String(length).length + record.length !== length) length = String(length).length + record.length
  return { name: 'pax', type: 'pax', data: `${length}${record}` }
}

/** One layer of an image that is made by hand. */
export interface HandMadeLayer {
  readonly tar: Buffer
  readonly mediaType?: string
  /** What is stored. @defaultValue the tar as gzip */
  readonly blob?: Buffer
  /** Changes the stored blob after its digest was taken. */
  readonly damage?: (blob: Buffer) => Buffer
}

/** An image that is made by hand, the parts that tests care about. */
export interface HandMadeImage {
  readonly layers: readonly HandMadeLayer[]
  readonly architecture?: string
  readonly labels?: Readonly<Record<string, string>>
}

/** Writes an image as an OCI layout with the tag `latest`; nothing is checked. */
export function writeLayout(folder: string, image: HandMadeImage): void {
  const { architecture = 'amd64', labels = { 'containers.bootc': '1' } } = image
  mkdirSync(join(folder, 'blobs/sha256'), { recursive: true })
  const put = (blob: Buffer, damage = (data: Buffer) => data): { digest: string; size: number } => {
    const hex = createHash('sha256').update(blob).digest('hex')
    writeFileSync(join(folder, 'blobs/sha256', hex), damage(blob))
    return { digest: `sha256:${hex}`, size: blob.length }
  }
  const layers = image.layers.map(({ tar, blob, damage, mediaType }) => ({
    mediaType: mediaType ?? 'application/vnd.oci.image.layer.v1.tar+gzip',
    ...put(blob ?? gzipSync(tar), damage),
  }))
  const diffIds = image.layers.map(({ tar }) => `sha256:${createHash('sha256').update(tar).digest('hex')}`)
  const config = {
    architecture,
    os: 'linux',
    config: { Labels: labels },
    rootfs: { type: 'layers', diff_ids: diffIds },
  }
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      ...put(Buffer.from(JSON.stringify(config))),
    },
    layers,
  }
  const entry = {
    mediaType: manifest.mediaType,
    ...put(Buffer.from(JSON.stringify(manifest))),
    platform: { architecture, os: 'linux' },
    annotations: { 'org.opencontainers.image.ref.name': 'latest' },
  }
  writeFileSync(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }))
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
}

/** What an image needs at least to be a machine with a boot loader that only has to be there. */
export const MINIMAL_MACHINE: readonly (HandMadeMember & { readonly name: string })[] = [
  { name: 'usr/lib/modules/6.1.0-test/vmlinuz', data: 'kernel' },
  { name: 'usr/lib/modules/6.1.0-test/initramfs.img', data: 'initramfs' },
  { name: 'usr/lib/systemd/boot/efi/systemd-bootx64.efi', data: 'loader' },
  { name: 'usr/lib/os-release', data: 'ID=test\nNAME="Test"\nVERSION_ID=1\n', mode: 0o644 },
  { name: 'etc/passwd', data: 'root:x:0:0:root:/root:/bin/sh\n', mode: 0o644 },
  { name: 'etc/group', data: 'root:x:0:\n', mode: 0o644 },
  { name: 'etc/shadow', data: 'root:*:19000:0:99999:7:::\n', mode: 0o600 },
]
