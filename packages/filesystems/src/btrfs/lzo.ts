/** Bytes of the length before the stream, and before each of its segments. */
const LENGTH = 4

/**
 * Decompresses LZO as btrfs frames it (`fs/btrfs/lzo.c`): the length of the whole, then segments of one
 * sector of content each, none of whose lengths crosses the end of a sector.
 *
 * @param size bytes of the content at most
 * @returns `undefined` where the bytes are not of that form
 */
export function decompressLzo(data: Uint8Array, size: number, sectorSize: number): Uint8Array | undefined {
  const view = new DataView(data.buffer, data.byteOffset, data.length)
  if (data.length < LENGTH) return undefined
  const total = view.getUint32(0, true)
  if (total > data.length) return undefined
  const output = new Uint8Array(size)
  let at = LENGTH
  let filled = 0
  while (at < total && filled < size) {
    const left = sectorSize - (at % sectorSize)
    if (left < LENGTH) at += left
    if (at + LENGTH > total) return undefined
    const length = view.getUint32(at, true)
    at += LENGTH
    if (length > total - at) return undefined
    const room = output.subarray(filled, Math.min(filled + sectorSize, size))
    const written = decodeLzo1x(data.subarray(at, at + length), room)
    if (written === undefined) return undefined
    at += length
    filled += written
  }
  return output.subarray(0, filled)
}

/**
 * LZO1X as `Documentation/staging/lzo.rst` of Linux describes it: literals and matches, each instruction's
 * meaning depending on how many literals came with the one before.
 *
 * @returns bytes written; `undefined` for anything malformed or too long
 */
function decodeLzo1x(input: Uint8Array, output: Uint8Array): number | undefined {
  let from = 0
  let to = 0
  /** Literals that followed the previous instruction; 4 for a run of four or more. */
  let state = 0

  const next = (): number => (from < input.length ? (input[from++] as number) : Number.NaN)
  /** A length that goes on over zero bytes, each worth 255. */
  const longLength = (base: number): number => {
    let length = base
    for (let byte = next(); ; byte = next()) {
      if (byte !== 0) return length + byte
      length += 255
    }
  }
  const copyLiterals = (count: number): boolean => {
    if (!(from + count <= input.length && to + count <= output.length)) return false
    output.set(input.subarray(from, from + count), to)
    from += count
    to += count
    return true
  }

  if (input.length > 0 && (input[0] as number) > 17) {
    const count = next() - 17
    if (!copyLiterals(count)) return undefined
    state = Math.min(count, 4)
  }
  for (;;) {
    const code = next()
    let length: number
    let distance: number
    let literals = code & 3
    if (code >= 64) {
      length = (code >> 5) + 1
      distance = (next() << 3) + ((code >> 2) & 7) + 1
    } else if (code >= 16) {
      const mask = code >= 32 ? 31 : 7
      length = (code & mask) === 0 ? longLength(mask) + 2 : (code & mask) + 2
      const low = next()
      const pair = low + next() * 256
      if (Number.isNaN(pair)) return undefined
      literals = pair & 3
      distance = pair >> 2
      if (code >= 32) distance += 1
      else {
        distance += (code & 8) << 11
        // The end of the stream is a match 16 KiB back with no distance of its own.
        if (distance === 0) return from === input.length ? to : undefined
        distance += 16_384
      }
    } else if (state === 0 && code < 16) {
      const count = code === 0 ? longLength(15) + 3 : code + 3
      if (!copyLiterals(count)) return undefined
      state = 4
      continue
    } else if (code < 16) {
      const isFar = state === 4
      length = isFar ? 3 : 2
      distance = (next() << 2) + (code >> 2) + (isFar ? 2049 : 1)
    } else return undefined // the input has ended

    if (!(distance <= to && to + length <= output.length)) return undefined
    // A match may overlap what it produces: byte by byte.
    for (const end = to + length; to < end; to++) output[to] = output[to - distance] as number
    if (!copyLiterals(literals)) return undefined
    state = literals
  }
}
