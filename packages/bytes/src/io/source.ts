/**
 * Bytes of a known length that can be read anywhere, any number of times.
 *
 * `read` fills the whole of `target` or throws; it never reads short. Offsets and sizes count bytes.
 */
export interface ByteSource {
  readonly size: number
  /** @throws FormatError `FORMAT_TRUNCATED` when `offset + target.length` lies past `size`. */
  read(offset: number, target: Uint8Array): Promise<void>
  close?(): Promise<void>
  /**
   * Set when this source is a window of another one: byte 0 here is byte `offset` there. Lets
   * `gather` turn many small reads of one large source into few.
   */
  readonly window?: { readonly source: ByteSource; readonly offset: number }
  /** What is not a hole, in ascending order. A source without this method has no holes. */
  dataRanges?(): AsyncIterable<ByteRange>
}

/** Bytes that can also be written. Bytes never written read as zero. */
export interface BlockDevice extends ByteSource {
  /** Writes all of `data`. The buffer may be used again once the promise has resolved. */
  write(offset: number, data: Uint8Array): Promise<void>
  dataRanges(): AsyncIterable<ByteRange>
  /**
   * Makes a range read as zero that was never written. Only a device has it on which such bytes do not: an
   * encrypted volume, where nobody can tell a hole from noise. Call `clearRange`.
   */
  clear?(offset: number, length: number): Promise<void>
  /** Makes everything written durable in the sense of the medium; a no-op for memory. */
  flush?(): Promise<void>
}

/** `length` bytes starting at `offset`. */
export interface ByteRange {
  readonly offset: number
  readonly length: number
}
