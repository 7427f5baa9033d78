import { BootableError, FormatError, MiB, memoryDevice, memorySource, readAll } from '@bootable/bytes'
import { isSwap, readSwap, writeSwap } from '@bootable/filesystems/swap'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const UUID = '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10'

async function codeOf(action: Promise<unknown>): Promise<string> {
  const error = await action.catch((reason: unknown) => reason)
  return BootableError.is(error) ? error.code : `no error of ours: ${error}`
}

describe('swap', () => {
  test('what is written reads back, with pages of every size', async () => {
    for (const pageSize of [4096, 8192, 16_384, 65_536]) {
      const device = memoryDevice(10 * MiB + 777)
      const area = await writeSwap(device, { uuid: UUID, label: 'Übermut', pageSize })
      expect(area).toEqual({ uuid: UUID, label: 'Übermut', pageSize, size: 10 * MiB - pageSize })
      expect(await readSwap(device)).toEqual(area)
      expect(await isSwap(device)).toBe(true)
    }
  })

  test('only the header page is written', async () => {
    const device = memoryDevice(MiB)
    await writeSwap(device, { uuid: UUID })
    const ranges = []
    for await (const range of device.dataRanges()) ranges.push(range)
    expect(ranges).toEqual([{ offset: 0, length: 4096 }])
  })

  test('wrong options and devices are errors with a code', async () => {
    const device = memoryDevice(MiB)
    expect(await codeOf(writeSwap(device, { uuid: 'none' }))).toBe('SWAP_OPTION_INVALID')
    expect(await codeOf(writeSwap(device, { uuid: UUID, label: 'x'.repeat(16) }))).toBe('SWAP_OPTION_INVALID')
    expect(await codeOf(writeSwap(device, { uuid: UUID, pageSize: 1000 }))).toBe('SWAP_OPTION_INVALID')
    expect(await codeOf(writeSwap(memoryDevice(40_959), { uuid: UUID }))).toBe('SWAP_NO_SPACE')
    const reason = new Error('enough')
    const cancelled = writeSwap(device, { uuid: UUID, signal: AbortSignal.abort(reason) })
    await expect(cancelled).rejects.toBe(reason)
    expect(await isSwap(device)).toBe(false)
  })

  test('damaged and cut areas give FormatError or an area that fits', async () => {
    const device = memoryDevice(50_000)
    await writeSwap(device, { uuid: UUID, label: 'swap' })
    const image = await readAll(device)
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.integer({ min: 1024, max: 1100 }), fc.integer({ min: 4080, max: 4095 })),
        fc.nat(7),
        fc.oneof(fc.constant(image.length), fc.nat(image.length)),
        async (at, bit, size) => {
          const damaged = image.slice()
          damaged[at] = (damaged[at] as number) ^ (1 << bit)
          try {
            const area = await readSwap(memorySource(damaged.subarray(0, size)))
            expect(area.size).toBeLessThanOrEqual(size - area.pageSize)
          } catch (error) {
            expect(error).toBeInstanceOf(FormatError)
          }
        },
      ),
      { numRuns: 300 },
    )
    expect(await codeOf(readSwap(memorySource(image.subarray(0, 40_959))))).toBe('FORMAT_TRUNCATED')
    expect(await codeOf(readSwap(memorySource(new Uint8Array(20))))).toBe('FORMAT_TRUNCATED')
    expect(await codeOf(readSwap(memorySource(new Uint8Array(200_000))))).toBe('FORMAT_INVALID')
  })
})
