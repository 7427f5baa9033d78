import { BootableError } from '../errors.ts'
import { formatSize } from '../size.ts'
import type { DecompressOptions } from './format.ts'

const DEFAULT_MAX_OUTPUT = 64 * 1024 ** 3
const DEFAULT_MAX_RATIO = 1200
/** Short streams of zeros may compress beyond any ratio; a bomb goes on after this. */
const RATIO_GRACE = 16 * 1024 ** 2

/** Counts what goes into and comes out of a decompressor and stops a bomb. */
export interface OutputLimit {
  input(length: number): void
  /** @throws BootableError `LIMIT_EXCEEDED` */
  output(length: number): void
}

/** The limits of one stream. Output is counted, since a header may lie about it. */
export function limitOutput(options: DecompressOptions = {}): OutputLimit {
  const { maxOutput = DEFAULT_MAX_OUTPUT, maxRatio = DEFAULT_MAX_RATIO } = options
  let taken = 0
  let given = 0
  return {
    input(length) {
      taken += length
    },
    output(length) {
      given += length
      const details = { input: taken, output: given, maxOutput, maxRatio }
      if (given > maxOutput) {
        throw new BootableError(
          'LIMIT_EXCEEDED',
          `decompressed data passes ${formatSize(maxOutput)}, the most allowed`,
          { details },
        )
      }
      if (given > RATIO_GRACE && given > taken * maxRatio) {
        throw new BootableError(
          'LIMIT_EXCEEDED',
          `${taken} compressed bytes became more than ${given}: beyond ${maxRatio} to 1`,
          { details, hint: 'this looks like a decompression bomb' },
        )
      }
    },
  }
}
