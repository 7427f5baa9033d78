import { MiB } from '../size.ts'

/**
 * A chunk of zeros that stands for a hole in a stream; nobody writes to it. Compressors know it by identity
 * and compress it once.
 */
export const ZERO_CHUNK: Uint8Array = new Uint8Array(MiB)
