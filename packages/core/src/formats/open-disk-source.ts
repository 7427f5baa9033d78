import {
  type ByteSource,
  type CompressionFormat,
  detectCompression,
  FormatError,
  streamSource,
} from '@bootable/bytes'
import { readGce } from '@bootable/disk/gce'
import { isOva, readOva } from '@bootable/disk/ova'
import { isQcow2, readQcow2 } from '@bootable/disk/qcow2'
import { isVhd, readVhd } from '@bootable/disk/vhd'
import { isVhdx, readVhdx } from '@bootable/disk/vhdx'
import { isVmdk, readVmdk } from '@bootable/disk/vmdk'
import type { DiskFormat } from '../output-types.ts'
import { type SpoolOptions, spool } from './spool.ts'

/** Options of {@link openDiskSource}. */
export type OpenDiskSourceOptions = SpoolOptions

/** The disk in a file. */
export interface OpenedDiskSource {
  readonly format: DiskFormat
  /** Of the file as a whole; `none` for formats that are compressed in themselves. */
  readonly compression: CompressionFormat
  /** The bytes that a machine sees. */
  readonly source: ByteSource
  /** Throws away what was decompressed; the file stays open. */
  close(): Promise<void>
}

/** A format that is known by bytes of its own. Raw has none: it is what is left. */
interface KnownFormat {
  readonly format: DiskFormat
  recognises(file: ByteSource): Promise<boolean>
  open(file: ByteSource, options: OpenDiskSourceOptions): Promise<ByteSource>
}

/** A vhd has its mark at the end, where the last sector of another format may say anything, so it comes last. */
const KNOWN: readonly KnownFormat[] = [
  { format: 'qcow2', recognises: isQcow2, open: readQcow2 },
  { format: 'vmdk', recognises: isVmdk, open: readVmdk },
  { format: 'vhdx', recognises: isVhdx, open: readVhdx },
  { format: 'ova', recognises: isOva, open: readOva },
  { format: 'vhd', recognises: isVhd, open: readVhd },
]

/** Bytes that show a tar. */
const HEAD = 512

/**
 * Opens the disk in a file of any format that is written here: raw, qcow2, vmdk, vhd, vhdx, ova, gce, and any
 * of them compressed with gzip or zstd. What is compressed as a whole is decompressed first, once, to a
 * scratch.
 *
 * @throws FormatError; BootableError `LIMIT_EXCEEDED`
 */
export async function openDiskSource(
  file: ByteSource,
  options: OpenDiskSourceOptions = {},
): Promise<OpenedDiskSource> {
  const head = await readHead(file)
  const compression = detectCompression(head)
  if (compression === 'none') {
    const opened = await openPlain(file, options)
    return { ...opened, compression, close: async () => {} }
  }
  const { signal } = options
  const content = await spool(streamSource(file, signal ? { signal } : {}), compression, options)
  try {
    return { ...(await openUnpacked(content, compression, options)), close: content.close }
  } catch (error) {
    await content.close()
    throw error
  }
}

type Opened = Pick<OpenedDiskSource, 'format' | 'source'>

async function openPlain(file: ByteSource, options: OpenDiskSourceOptions): Promise<Opened> {
  for (const { format, recognises, open } of KNOWN) {
    if (await recognises(file)) return { format, source: await open(file, options) }
  }
  return { format: 'raw', source: file }
}

async function openUnpacked(
  content: ByteSource,
  compression: CompressionFormat,
  options: OpenDiskSourceOptions,
): Promise<Opened & Pick<OpenedDiskSource, 'compression'>> {
  const head = await readHead(content)
  if (detectCompression(head) !== 'none') {
    const details = { format: 'disk', structure: 'file', offset: 0 }
    throw new FormatError('FORMAT_UNSUPPORTED', details, 'it is compressed twice')
  }
  if (isTarHead(head) && compression === 'gzip' && !(await isOva(content))) {
    return { format: 'gce', compression: 'none', source: await readGce(content) }
  }
  return { ...(await openPlain(content, options)), compression }
}

/** Whether these are the first bytes of a tar archive that has a magic number (POSIX.1-2017, pax, ustar). */
export function isTarHead(head: Uint8Array): boolean {
  return String.fromCharCode(...head.subarray(257, 262)) === 'ustar'
}

/** The first bytes of a file, by which its format is told. */
export async function readHead(file: ByteSource): Promise<Uint8Array> {
  const head = new Uint8Array(Math.min(HEAD, file.size))
  await file.read(0, head)
  return head
}
