import type { Runtime } from '@bootable/bytes'
import { adler32 } from '@bootable/bytes'
import { btrfsFormatError } from './errors.ts'
import { BTRFS_COMPRESS_LZO, BTRFS_COMPRESS_ZLIB, BTRFS_COMPRESS_ZSTD } from './format.ts'
import { decompressLzo } from './lzo.ts'
import type { Codec } from './options.ts'

/** `CMF` of RFC 1950: deflate with a window of 32 KiB. */
const ZLIB_CMF = 0x78
/** `FLG` of RFC 1950: no dictionary, the default level; both bytes together are a multiple of 31. */
const ZLIB_FLG = 0x9c

/** Compresses a piece of a file of at most 128 KiB, as the kernel will decompress it. */
export async function compressBlock(
  data: Uint8Array,
  { type, level }: Codec,
  runtime: Runtime,
): Promise<Uint8Array> {
  if (type !== BTRFS_COMPRESS_ZLIB) return runtime.zstd(data, { level })
  const deflated = await runtime.deflateRaw(data, { level })
  const wrapped = new Uint8Array(2 + deflated.length + 4)
  wrapped.set([ZLIB_CMF, ZLIB_FLG])
  wrapped.set(deflated, 2)
  new DataView(wrapped.buffer).setUint32(2 + deflated.length, adler32(data))
  return wrapped
}

/** An extent whose bytes on disk are not those of the file. */
export interface CompressedBytes {
  /** As they lie on disk; zeros may follow. */
  readonly data: Uint8Array
  /** `btrfs_file_extent_item.compression`. */
  readonly type: number
  /** Bytes of the file that it holds. */
  readonly size: number
  readonly sectorSize: number
}

/**
 * Undoes the compression of an extent. Where it holds less than it should, zeros follow.
 * @throws FormatError
 */
export async function decompressBlock(
  { data, type, size, sectorSize }: CompressedBytes,
  runtime: Runtime,
): Promise<Uint8Array> {
  const content = await decompress()
  if (content.length === size) return content
  const whole = new Uint8Array(size)
  whole.set(content)
  return whole

  async function decompress(): Promise<Uint8Array> {
    if (type === BTRFS_COMPRESS_ZSTD) return runtime.unzstd(data, size)
    if (type === BTRFS_COMPRESS_LZO) {
      const content = decompressLzo(data, size, sectorSize)
      if (content) return content
    }
    const [cmf = 0, flg = 0] = data
    const isZlib = (cmf & 0x0f) === 8 && (cmf * 256 + flg) % 31 === 0 && (flg & 0x20) === 0
    if (type === BTRFS_COMPRESS_ZLIB && isZlib) return runtime.inflateRaw(data.subarray(2), size)
    throw btrfsFormatError('FORMAT_INVALID', 'extent', `not the compression of type ${type} that it claims`)
  }
}
