import { MiB, memoryDevice } from '@bootable/bytes'
import { type DiskPlan, PARTITION_TYPES, planDisk, readGpt, readMbr, writeDisk } from '@bootable/disk'
import { createTree } from '@bootable/tree'
import { describe, expect, test } from 'vitest'

/** Boot code whose bytes tell where it was placed. */
const bootCode = (size: number) => ({
  size,
  place: (firstSector: number) => ({
    bootSector: new Uint8Array(440).fill(0xb0),
    image: new Uint8Array(size).fill(firstSector === 1 ? 0xc1 : firstSector / 2048),
  }),
})
const system = (size: number) =>
  ({ architecture: 'x86_64', layout: 'plain', sysroot: createTree(), bootCode: bootCode(size) }) as const
const plan = (size: number, sectorSize: 512 | 4096 = 512): DiskPlan =>
  planDisk(system(size), { seed: 'test', size: 'minimum', sectorSize })

describe('boot code', () => {
  test('lies in its partition and before the signature of the disk', async () => {
    const size = 1536
    const device = memoryDevice(plan(size).size)
    await device.write(0x1b8, Uint8Array.of(1, 2, 3, 4))
    await writeDisk(plan(size), system(size), device)
    const sector = new Uint8Array(512)
    await device.read(0, sector)
    expect(sector.subarray(0, 440).every((byte) => byte === 0xb0)).toBe(true)
    expect([...sector.subarray(0x1b8, 0x1be)]).toEqual([1, 2, 3, 4, 0, 0])
    expect([...sector.subarray(0x1fe)]).toEqual([0x55, 0xaa])
    const image = new Uint8Array(size + 1)
    await device.read(MiB, image)
    expect(image.subarray(0, size).every((byte) => byte === 1)).toBe(true)
    expect(image[size]).toBe(0)
    expect((await readGpt(device)).partitions[0]?.type).toBe(PARTITION_TYPES.biosBoot)
  })

  test('lies in front of the first partition of a dos table', async () => {
    const options = { seed: 'test', size: 'minimum', disk: { type: 'dos' } } as const
    const most = MiB - 512
    const given = planDisk(system(most), options)
    expect(given.partitions.map(({ name }) => name)).toEqual(['esp', 'root'])
    const device = memoryDevice(given.size)
    await writeDisk(given, system(most), device)
    const head = new Uint8Array(MiB)
    await device.read(0, head)
    expect(head.subarray(0, 440).every((byte) => byte === 0xb0)).toBe(true)
    // It was told that it lies in sector 1.
    expect(head.subarray(512).every((byte) => byte === 0xc1)).toBe(true)
    expect((await readMbr(device)).partitions).toHaveLength(2)
    expect(() => planDisk(system(MiB), options)).toThrow(
      expect.objectContaining({ code: 'BOOT_CODE_TOO_LARGE', details: { size: MiB, limit: most } }),
    )
  })

  test('is refused before anything is written where it does not fit', async () => {
    const problem = {
      code: 'BOOT_CODE_TOO_LARGE',
      details: { size: MiB + 512, limit: MiB, partition: 1 },
      message: 'the boot code has 1049088 bytes (1 MiB), its partition 1048576 (1 MiB)',
    }
    expect(() => plan(MiB + 512)).toThrow(expect.objectContaining(problem))
    const device = memoryDevice(plan(512).size)
    await expect(writeDisk(plan(512), system(MiB + 512), device)).rejects.toMatchObject(problem)
    for await (const _ of device.dataRanges()) throw new Error('something was written')
  })

  test('is refused on disks that no BIOS starts from', () => {
    expect(() => plan(512, 4096)).toThrow(
      expect.objectContaining({ code: 'BOOT_CODE_WITHOUT_PLACE', details: { sectorSize: 4096 } }),
    )
    const without = { ...plan(512), partitions: plan(512).partitions.slice(1) }
    return expect(writeDisk(without, system(512), memoryDevice(without.size))).rejects.toMatchObject({
      code: 'BOOT_CODE_WITHOUT_PLACE',
    })
  })
})
