/** The compression formats of layers and disks. */
export type CompressionFormat = 'none' | 'gzip' | 'zstd'

/** Options of decompression. */
export interface DecompressOptions {
  /**
   * Bytes of output after which the stream is refused with `LIMIT_EXCEEDED`.
   * @defaultValue 64 GiB
   */
  readonly maxOutput?: number
  /**
   * Output bytes allowed for each input byte, once the first 16 MiB are out: what a bomb exceeds.
   * @defaultValue 1200
   */
  readonly maxRatio?: number
  readonly signal?: AbortSignal
}

/** Recognises a format by its first bytes; four are enough. */
export function detectCompression(head: Uint8Array): CompressionFormat {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip' // RFC 1952, 2.3.1
  const isFrame = head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd
  if (isFrame && head[0] === 0x28) return 'zstd' // RFC 8878, 3.1.1
  const isSkippable = head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18
  if (isSkippable && ((head[0] ?? 0) & 0xf0) === 0x50) return 'zstd' // RFC 8878, 3.1.2
  return 'none'
}
