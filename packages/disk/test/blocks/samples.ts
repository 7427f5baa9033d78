import { type ByteSource, memoryDevice, memorySink, memorySource, readAll } from '@bootable/bytes'

export const BLOCK = 65_536
export const MiB = 1_048_576

/** Bytes that compress (`text`) or do not (`noise`); both depend on nothing but the seed. */
export function content(kind: 'text' | 'noise' | 'zero', length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = seed + 1
  for (let index = 0; index < length && kind !== 'zero'; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[index] = kind === 'noise' ? state >>> 16 : 97 + ((index * (seed + 3)) % 23)
  }
  return bytes
}

/** A sparse disk with these pieces in it. */
export async function disk(
  size: number,
  pieces: readonly (readonly [offset: number, data: Uint8Array])[],
): Promise<ByteSource> {
  const device = memoryDevice(size)
  for (const [offset, data] of pieces) await device.write(offset, data)
  return device
}

/** What `write` makes, as a source. */
export async function written(
  write: (target: ReturnType<typeof memorySink>) => Promise<unknown>,
): Promise<ByteSource> {
  const sink = memorySink()
  await write(sink)
  return sink.source()
}

/** Reads all that a file of these bytes has to give; answers with the error, if there is one. */
export async function exhaust(
  bytes: Uint8Array,
  open: (source: ByteSource) => Promise<ByteSource>,
): Promise<unknown> {
  try {
    const image = await open(memorySource(bytes))
    // A flipped bit can make a disk so large that reading its zeros takes long.
    if (image.size > 64 * MiB) return undefined
    for await (const _ of image.dataRanges?.() ?? []);
    await readAll(image)
    return undefined
  } catch (error) {
    return error
  }
}
