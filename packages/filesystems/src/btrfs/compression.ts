import type { Runtime } from '@bootable/bytes'
import { adler32 } from '@bootable/bytes'
import { BTRFS_COMPRESS_ZLIB } from './format.ts'
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
