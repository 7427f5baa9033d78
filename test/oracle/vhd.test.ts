import { open, stat } from 'node:fs/promises'
import { type ByteSource, sliceSource } from '@bootable/bytes'
import { openFileSource } from '@bootable/bytes/node'
import { readVhd, writeVhd } from '@bootable/disk/vhd'
import { expect, test } from 'vitest'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import { newestOracle, runOkInOracleRoot } from '../../tooling/oracle-root.ts'
import { temporaryFolder } from '../../tooling/oracles.ts'
import { eachQemuImg } from '../../tooling/qemu-img.ts'
import { copyRanges, firstDifference, sampleDisk, sparseDisk, writeTo } from '../../tooling/sample-disk.ts'

const MiB = 1_048_576
const GiB = 1024 * MiB
const UUID = '6ee1eca0-6521-468c-a845-527cafec2873'

const write = (source: ByteSource, path: string): Promise<unknown> =>
  writeTo(path, (target) => writeVhd(source, target, { seed: 'lab', uuid: UUID, time: 1_700_000_000 }))

/** The footer without what depends on the moment: time, checksum and unique id. */
async function footer(path: string): Promise<string> {
  const file = await open(path)
  const data = Buffer.alloc(512)
  await file.read(data, 0, 512, (await file.stat()).size - 512)
  await file.close()
  return data.fill(0, 0x18, 0x1c).fill(0, 0x40, 0x54).toString('hex')
}

const FORCED = ['-o', 'subformat=fixed,force_size']

eachQemuImg((qemu) => {
  test.each([
    ['16 MiB', 16 * MiB],
    ['10 GiB', 10 * GiB],
    ['200 GiB', 200 * GiB],
  ])('the footer of a disk of %s is that of qemu-img', async (_, size) => {
    const device = await sparseDisk(size)
    await saveDevice(device, qemu.at('same.raw'))
    await write(device, qemu.at('ours.vhd'))
    await qemu.call('convert', '-f', 'raw', '-O', 'vpc', ...FORCED, '@same.raw', '@theirs.vhd')
    expect(await footer(qemu.at('ours.vhd'))).toBe(await footer(qemu.at('theirs.vhd')))
    expect((await stat(qemu.at('ours.vhd'))).size).toBe(size + 512)
    // Holes are holes.
    expect((await stat(qemu.at('ours.vhd'))).blocks * 512).toBeLessThan(2 * MiB)
  })

  test('info and compare', async () => {
    const device = await sampleDisk(120 * MiB)
    await saveDevice(device, qemu.at('sample.raw'))
    await write(device, qemu.at('sample.vhd'))
    expect(await qemu.info('-f', 'vpc', '@sample.vhd')).toMatchObject({
      format: 'vpc',
      'virtual-size': 120 * MiB,
    })
    const compared = await qemu.call('compare', '-f', 'raw', '-F', 'vpc', '@sample.raw', '@sample.vhd')
    expect(compared).toMatch(/identical/)
  })

  const forms: [name: string, args: string[]][] = [
    ['fixed, forced size', FORCED],
    ['fixed', ['-o', 'subformat=fixed']],
    ['dynamic, forced size', ['-o', 'subformat=dynamic,force_size']],
    ['dynamic', ['-o', 'subformat=dynamic']],
  ]
  test.each(forms)('images of qemu-img are read: %s', async (_, args) => {
    const device = await sampleDisk(75 * MiB)
    await saveDevice(device, qemu.at('reverse.raw'))
    await qemu.call('convert', '-f', 'raw', '-O', 'vpc', ...args, '@reverse.raw', '@reverse.vhd')
    const file = await openFileSource(qemu.at('reverse.vhd'))
    const disk = await readVhd(file)
    // Without force_size a disk has whole cylinders.
    const { 'virtual-size': size } = await qemu.info('-f', 'vpc', '@reverse.vhd')
    expect(disk.size).toBe(size)
    expect(disk.size).toBeGreaterThanOrEqual(device.size)
    expect(await firstDifference(sliceSource(disk, 0, device.size), device)).toBe(-1)
    const copy = sliceSource(await copyRanges(disk), 0, device.size)
    expect(await firstDifference(copy, device)).toBe(-1)
    await file.close()
  })

  test('an empty dynamic disk has no data', async () => {
    await qemu.call('create', '-f', 'vpc', '-o', 'subformat=dynamic,force_size', '@empty.vhd', '3G')
    const file = await openFileSource(qemu.at('empty.vhd'))
    const disk = await readVhd(file)
    expect(disk.info).toMatchObject({ type: 'dynamic', size: 3 * GiB, creator: 'qem2' })
    const ranges = []
    for await (const range of disk.dataRanges?.() ?? []) ranges.push(range)
    expect(ranges).toEqual([])
    await file.close()
  })
})

newestOracle('vhdiinfo', () => {
  test('libvhdi reads our footer', async () => {
    const folder = temporaryFolder()
    await write(await sparseDisk(10 * GiB), `${folder}/disk.vhd`)
    const { stdout } = await runOkInOracleRoot(folder, 'vhdiinfo', ['/work/disk.vhd'])
    expect(stdout).toMatch(/Disk type\s+: Fixed/)
    expect(stdout).toMatch(/Media size\s+: .*10737418240/)
    expect(stdout.toLowerCase()).toContain(UUID)
  })
})
