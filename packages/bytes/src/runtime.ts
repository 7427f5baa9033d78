import type { CompressionFormat, DecompressOptions } from './codec/format.ts'
import type { CipherDirection } from './codec/xts.ts'
import type { ZstdOptions } from './codec/zstd-block.ts'

/** An incremental digest. `digest` ends it. */
export interface Hash {
  update(data: Uint8Array): this
  digest(): Uint8Array
}

export type HashAlgorithm = 'sha256' | 'sha512'

/** Options of {@link Runtime.deflateRaw}. */
export interface DeflateOptions {
  /** 0 to 9. @defaultValue 6 */
  readonly level?: number
  /**
   * Base-two logarithm of the window, 9 to 15. Saves memory where it is honoured; `portableRuntime` always
   * looks back 32 KiB, which every reader that inflates a block at once can follow.
   * @defaultValue 15
   */
  readonly windowBits?: number
}

/**
 * The seam through which speed comes in: what a host can do faster than portable code.
 *
 * Every function that hashes or inflates takes `{ runtime }`. The default, `portableRuntime`, works
 * everywhere; `nodeRuntime` from `@bootable/bytes/node` is 5 to 13 times as fast on Node.
 */
export interface Runtime {
  createHash(algorithm: HashAlgorithm): Hash
  /**
   * Decompresses a stream. gzip streams may have several members (RFC 1952, 2.2), zstd streams several
   * frames. Other bytes after the last one are an error, but `nodeRuntime` stops at a zero after a gzip
   * member, as gzip(1) does with padding.
   *
   * @throws FormatError on bytes that are not of the format, or a stream that ends early
   */
  decompress(
    format: CompressionFormat,
    input: AsyncIterable<Uint8Array>,
    options?: DecompressOptions,
  ): AsyncIterable<Uint8Array>
  /**
   * Compresses a stream as one gzip member without a time stamp. `nodeRuntime` compresses its MiBs side by
   * side; chunks that are `ZERO_CHUNK`, which `streamSparse` yields for holes, cost it nothing.
   */
  gzip(input: AsyncIterable<Uint8Array>, options?: { readonly level?: number }): AsyncIterable<Uint8Array>
  /** Compresses one block as headerless deflate (RFC 1951). */
  deflateRaw(data: Uint8Array, options?: DeflateOptions): Promise<Uint8Array>
  /** Inflates one headerless block into at most `size` bytes. */
  inflateRaw(data: Uint8Array, size: number): Promise<Uint8Array>
  /**
   * Compresses a block of at most 64 MiB as one zstd frame (RFC 8878). The bytes are the same in every
   * runtime.
   *
   * @throws BootableError `COMPRESSION_INVALID`, `LIMIT_EXCEEDED`
   */
  zstd(data: Uint8Array, options?: ZstdOptions): Promise<Uint8Array>
  /**
   * Decodes the zstd frames at the start of `data` into at most `size` bytes. Bytes behind them, such as the
   * padding of a sector, are not looked at.
   *
   * @throws FormatError where no frame is, or one is damaged or yields more
   */
  unzstd(data: Uint8Array, size: number): Promise<Uint8Array>
  /**
   * XTS-AES (IEEE 1619-2018) over whole sectors.
   *
   * @param key both keys, data first: 32 bytes for AES-128, 64 for AES-256
   * @param sectorSize bytes of a data unit, a multiple of 16
   * @param firstSector number of the first one in units of 512 bytes; the next is `sectorSize / 512` further
   * @throws RangeError where `data` is not whole sectors
   */
  aesXts(
    key: Uint8Array,
    direction: CipherDirection,
    sectorSize: number,
    firstSector: number,
    data: Uint8Array,
  ): Promise<Uint8Array>
}

/** The option under which a runtime is handed over. */
export interface RuntimeOptions {
  /** @defaultValue `portableRuntime` */
  readonly runtime?: Runtime
}
