import { open, stat } from 'node:fs/promises'
import type { ByteSource } from '@bootable/bytes'
import { nodeRuntime, openFileSource } from '@bootable/bytes/node'
import { readQcow2, type WriteQcow2Options, writeQcow2 } from '@bootable/disk/qcow2'
import { expect, test } from 'vitest'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import { eachQemuImg } from '../../tooling/qemu-img.ts'
import { copyRanges, firstDifference, sampleDisk, sparseDisk, writeTo } from '../../tooling/sample-disk.ts'

const MiB = 1_048_576
const GiB = 1024 * MiB

const write = (source: ByteSource, path: string, options: WriteQcow2Options = {}): Promise<unknown> =>
  writeTo(path, (target) =>
    writeQcow2(source, target, { runtime: nodeRuntime, compression: 'zstd', ...options }),
  )

/** The header without the positions of its tables, which depend on the order in which they were written. */
async function header(path: string): Promise<Buffer> {
  const file = await open(path)
  const data = Buffer.alloc(1024)
  await file.read(data, 0, data.length, 0)
  await file.close()
  return data.fill(0, 0x28, 0x38)
}

eachQemuImg((qemu) => {
  test.each([
    ['16 MiB', 16 * MiB],
    ['10 GiB', 10 * GiB],
  ])('the header of a disk of %s is that of qemu-img', async (_, size) => {
    const device = await sparseDisk(size)
    await saveDevice(device, qemu.at('same.raw'))
    for (const compression of ['zlib', 'zstd'] as const) {
      await write(device, qemu.at('ours.qcow2'), { compression })
      const options = ['-c', '-o', `compression_type=${compression}`]
      await qemu.call('convert', '-f', 'raw', '-O', 'qcow2', ...options, '@same.raw', '@theirs.qcow2')
      const [ours, theirs] = [await header(qemu.at('ours.qcow2')), await header(qemu.at('theirs.qcow2'))]
      expect(ours.toString('hex')).toBe(theirs.toString('hex'))
    }
  })

  test('check, info and compare', async () => {
    const device = await sampleDisk(200 * MiB)
    await saveDevice(device, qemu.at('sample.raw'))
    await write(device, qemu.at('sample.qcow2'))
    const found = JSON.parse(await qemu.call('check', '--output=json', '@sample.qcow2')) as Record<
      string,
      unknown
    >
    expect(found).toMatchObject({ 'check-errors': 0 })
    expect(found.leaks ?? found.corruptions).toBeUndefined()
    expect(found['compressed-clusters']).toBeGreaterThan(0)
    const compared = await qemu.call('compare', '-f', 'raw', '-F', 'qcow2', '@sample.raw', '@sample.qcow2')
    expect(compared).toMatch(/identical/)
    expect(await qemu.info('@sample.qcow2')).toMatchObject({
      'virtual-size': 200 * MiB,
      'format-specific': { data: { compat: '1.1', 'compression-type': 'zstd', corrupt: false } },
    })
    const options = ['-c', '-o', 'compression_type=zstd']
    await qemu.call('convert', '-f', 'raw', '-O', 'qcow2', ...options, '@sample.raw', '@theirs.qcow2')
    const sizes = await Promise.all(['sample.qcow2', 'theirs.qcow2'].map((name) => stat(qemu.at(name))))
    expect((sizes[0]?.size ?? 0) / (sizes[1]?.size ?? 1)).toBeLessThan(1.02)
  })

  test.each([1, 9, 19])('level %i', async (level) => {
    const device = await sampleDisk(8 * MiB)
    await saveDevice(device, qemu.at('level.raw'))
    await write(device, qemu.at('level.qcow2'), { level })
    const compared = await qemu.call('compare', '-f', 'raw', '-F', 'qcow2', '@level.raw', '@level.qcow2')
    expect(compared).toMatch(/identical/)
  })

  test.each(['4k', '64k', '2M'])('images of qemu-img with clusters of %s are read', async (size) => {
    const device = await sampleDisk(60 * MiB)
    await saveDevice(device, qemu.at('reverse.raw'))
    const options = ['-c', '-o', `compression_type=zstd,cluster_size=${size}`]
    await qemu.call('convert', '-f', 'raw', '-O', 'qcow2', ...options, '@reverse.raw', '@reverse.qcow2')
    const file = await openFileSource(qemu.at('reverse.qcow2'))
    const disk = await readQcow2(file, { runtime: nodeRuntime })
    expect(disk.info.compression).toBe('zstd')
    expect(await firstDifference(disk, device)).toBe(-1)
    expect(await firstDifference(await copyRanges(disk), device)).toBe(-1)
    await file.close()
  })
})
