import {
  type ByteSource,
  countStream,
  type OperationOptions,
  portableRuntime,
  type RuntimeOptions,
  streamSparse,
  writeChunks,
  zstdStream,
} from '@bootable/bytes'
import { writeGce } from '@bootable/disk/gce'
import { writeOva } from '@bootable/disk/ova'
import { writeQcow2 } from '@bootable/disk/qcow2'
import { writeVhd } from '@bootable/disk/vhd'
import { writeVhdx } from '@bootable/disk/vhdx'
import { writeVmdk } from '@bootable/disk/vmdk'
import type { DiskFormat, FileCompression } from '../output-types.ts'
import type { OutputDevice } from '../pipeline/output.ts'

/** What the formats want to know beside the disk. */
export interface FormatOptions extends OperationOptions, RuntimeOptions {
  /** What the ids of a file are derived from: equal disks and seeds give equal files. */
  readonly seed: string
  /** Seconds since 1970, where a format has room for a time. @defaultValue 0 */
  readonly clock?: number
  /** Bytes of the disk's logical sectors; a vhdx says so. @defaultValue 512 */
  readonly sectorSize?: 512 | 4096
  /** Compression inside of a qcow2; readers before QEMU 5.1 know no zstd. @defaultValue 'zlib' */
  readonly qcow2Compression?: 'zlib' | 'zstd' | 'none'
  /** What the machine of an appliance starts on. @defaultValue 'efi' */
  readonly applianceFirmware?: 'bios' | 'efi'
  /** File name without endings; it stands in the descriptors of vmdk and ova. @defaultValue 'disk' */
  readonly baseName?: string
}

/** The formats have no times before. */
const YEAR_2000 = 946_684_800

/**
 * Writes a disk in a format to an empty device.
 * @throws BootableError `CONTAINER_LIMIT`, `CONTAINER_OPTIONS_INVALID`, and those of the device
 */
export async function writeFormat(
  format: DiskFormat,
  disk: ByteSource,
  target: OutputDevice,
  options: FormatOptions,
): Promise<void> {
  const { clock = 0, baseName = 'disk', qcow2Compression = 'zlib' } = options
  const { applianceFirmware, sectorSize, ...rest } = options
  switch (format) {
    case 'raw':
      return copyDisk(disk, target, options)
    case 'qcow2': {
      const compression = qcow2Compression === 'none' ? {} : { compression: qcow2Compression }
      await writeQcow2(disk, target, { ...rest, compress: qcow2Compression !== 'none', ...compression })
      return
    }
    case 'vmdk':
      await writeVmdk(disk, target, { ...rest, fileName: `${baseName}.vmdk` })
      return
    case 'vhd':
      await writeVhd(disk, target, { ...rest, ...(clock >= YEAR_2000 && { time: clock }) })
      return
    case 'vhdx':
      await writeVhdx(disk, target, { ...rest, ...(sectorSize && { sectorSize }) })
      return
    case 'gce':
      await writeGce(disk, target, { ...rest, time: clock })
      return
    case 'ova': {
      const firmware = applianceFirmware === undefined ? {} : { firmware: applianceFirmware }
      await writeOva(disk, target, { ...rest, ...firmware, fileName: baseName, time: clock })
    }
  }
}

/**
 * Compresses a file as a whole; its holes are neither read nor compressed.
 * @param source the file
 */
export async function compressFile(
  compression: FileCompression,
  source: ByteSource,
  target: OutputDevice,
  options: OperationOptions & RuntimeOptions = {},
): Promise<void> {
  const { runtime = portableRuntime } = options
  const plain = countStream(streamSparse(source, options), compression, source.size, options)
  const packed = compression === 'gz' ? runtime.gzip(plain) : zstdStream(plain, { runtime })
  await writeChunks(target, packed)
}

const COPY_CHUNK = 4 * 1024 * 1024

/** Copies what is not a hole. */
async function copyDisk(disk: ByteSource, target: OutputDevice, { signal }: OperationOptions): Promise<void> {
  await target.truncate(disk.size)
  const whole = [{ offset: 0, length: disk.size }]
  for await (const { offset, length } of disk.dataRanges?.() ?? whole) {
    for (let done = 0; done < length; done += COPY_CHUNK) {
      signal?.throwIfAborted()
      const chunk = new Uint8Array(Math.min(COPY_CHUNK, length - done))
      await disk.read(offset + done, chunk)
      await target.write(offset + done, chunk)
    }
  }
}
