import type { CompressionFormat, DecompressOptions } from './codec/format.ts'

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
  /** Compresses a stream as one gzip member without a time stamp. */
  gzip(input: AsyncIterable<Uint8Array>, options?: { readonly level?: number }): AsyncIterable<Uint8Array>
  /** Compresses one block as headerless deflate (RFC 1951). */
  deflateRaw(data: Uint8Array, options?: DeflateOptions): Promise<Uint8Array>
  /** Inflates one headerless block into at most `size` bytes. */
  inflateRaw(data: Uint8Array, size: number): Promise<Uint8Array>
}

/** The option under which a runtime is handed over. */
export interface RuntimeOptions {
  /** @defaultValue `portableRuntime` */
  readonly runtime?: Runtime
}
