import { open, stat } from 'node:fs/promises'
import { type ByteSource, GiB, MiB } from '@bootable/bytes'
import { openFileSource } from '@bootable/bytes/node'
import { readVhdx, type WriteVhdxOptions, writeVhdx } from '@bootable/disk/vhdx'
import { expect, test } from 'vitest'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import { newestOracle, runOkInOracleRoot } from '../../tooling/oracle-root.ts'
import { temporaryFolder } from '../../tooling/oracles.ts'
import { eachQemuImg } from '../../tooling/qemu-img.ts'
import {
  copyRanges,
  firstDifference,
  SPARSE_PIECE,
  sampleDisk,
  sparseDisk,
  sparseOffsets,
  writeTo,
} from '../../tooling/sample-disk.ts'

const KiB = 1024

const write = (
  source: ByteSource,
  path: string,
  options: Partial<WriteVhdxOptions> = {},
): Promise<{ fileSize: number }> =>
  writeTo(path, (target) => writeVhdx(source, target, { seed: 'lab', ...options }))

async function part(path: string, offset: number, length: number): Promise<Buffer> {
  const file = await open(path)
  const data = Buffer.alloc(length)
  await file.read(data, 0, length, offset)
  await file.close()
  return data
}

/** The structures that describe a vhdx, without its ids, checksums and sequence numbers. */
async function structures(path: string): Promise<Record<string, string>> {
  const header = async (offset: number): Promise<string> =>
    (await part(path, offset, 4096)).fill(0, 4, 0x30).toString('hex')
  const regions = await part(path, 192 * KiB, 64 * KiB)
  const at = (entry: number): [number, number] => [
    Number(regions.readBigUInt64LE(16 + entry * 32 + 16)),
    regions.readUInt32LE(16 + entry * 32 + 24),
  ]
  // Entries of both tables: the required flag is one that QEMU does not set.
  for (const entry of [0, 1]) regions.writeUInt32LE(0, 16 + entry * 32 + 28)
  const metadata = await part(path, at(1)[0], 65 * KiB)
  const bat = await part(path, ...at(0))
  // Where a block went depends on the order of writes; which state it has does not.
  const states = Array.from({ length: bat.length / 8 }, (_, index) => bat.readUInt32LE(index * 8) & 7)
  return {
    header1: await header(64 * KiB),
    header2: await header(128 * KiB),
    regions: regions.fill(0, 4, 8).toString('hex'),
    metadata: metadata.fill(0, 64 * KiB + 16, 64 * KiB + 32).toString('hex'),
    states: states.join(''),
  }
}

/** Commands of qemu-io that find what `sparseDisk` wrote, and zeros next to it. */
function sparseReads(size: number): string[] {
  const commands: string[] = []
  for (const [index, offset] of sparseOffsets(size).entries()) {
    commands.push(`read -P ${index + 1} ${offset} ${SPARSE_PIECE}`, `read -P 0 ${offset + SPARSE_PIECE} 512`)
  }
  return commands.flatMap((command) => ['-c', command])
}

eachQemuImg((qemu) => {
  test.each([
    ['16 MiB', 16 * MiB],
    ['10 GiB', 10 * GiB],
    ['200 GiB', 200 * GiB],
  ])('the structures of a disk of %s are those of qemu-img', async (_, size) => {
    const device = await sparseDisk(size)
    await saveDevice(device, qemu.at('same.raw'))
    const { fileSize } = await write(device, qemu.at('ours.vhdx'))
    await qemu.call('convert', '-f', 'raw', '-O', 'vhdx', '@same.raw', '@theirs.vhdx')
    expect(await structures(qemu.at('ours.vhdx'))).toEqual(await structures(qemu.at('theirs.vhdx')))
    expect(fileSize).toBe((await stat(qemu.at('theirs.vhdx'))).size)
    // Holes are holes, also within a block.
    expect((await stat(qemu.at('ours.vhdx'))).blocks * 512).toBeLessThan(4 * MiB)
    // `compare` would read all holes, which for a vhdx qemu-img does not know.
    const reads = sparseReads(size)
    expect(await qemu.io('-f', 'vhdx', ...reads, '@ours.vhdx')).not.toMatch(/failed|error/i)
  })

  test('check, info and compare', async () => {
    const device = await sampleDisk(200 * MiB)
    await saveDevice(device, qemu.at('sample.raw'))
    await write(device, qemu.at('sample.vhdx'))
    expect(await qemu.call('check', '-f', 'vhdx', '@sample.vhdx')).toMatch(/No errors were found/)
    expect(await qemu.info('@sample.vhdx')).toMatchObject({
      format: 'vhdx',
      'virtual-size': 200 * MiB,
      'cluster-size': 8 * MiB,
    })
    const compared = await qemu.call('compare', '-f', 'raw', '-F', 'vhdx', '@sample.raw', '@sample.vhdx')
    expect(compared).toMatch(/identical/)
  })

  test('qemu-io writes to ours, and we read it', async () => {
    const device = await sampleDisk(50 * MiB)
    await write(device, qemu.at('written.vhdx'))
    await qemu.io('-f', 'vhdx', '-c', 'write -P 9 45M 64k', '@written.vhdx')
    await device.write(45 * MiB, new Uint8Array(64 * KiB).fill(9))
    const file = await openFileSource(qemu.at('written.vhdx'))
    expect(await firstDifference(await readVhdx(file), device)).toBe(-1)
    await file.close()
  })

  const forms: [name: string, size: number, args: string[]][] = [
    ['dynamic', 75 * MiB, []],
    ['dynamic, of an odd size', 75 * MiB + 512, []],
    ['dynamic, blocks that are not present', 75 * MiB, ['-o', 'block_state_zero=off']],
    ['dynamic, blocks of 1 MiB, log of 3 MiB', 75 * MiB, ['-o', 'block_size=1M,log_size=3M']],
    ['dynamic, blocks of 256 MiB', 75 * MiB, ['-o', 'block_size=256M']],
    ['fixed', 75 * MiB, ['-o', 'subformat=fixed']],
    ['fixed, of an odd size', 75 * MiB + 512, ['-o', 'subformat=fixed']],
  ]
  test.each(forms)('images of qemu-img are read: %s', async (_, size, args) => {
    const device = await sampleDisk(size)
    await saveDevice(device, qemu.at('reverse.raw'))
    await qemu.call('convert', '-f', 'raw', '-O', 'vhdx', ...args, '@reverse.raw', '@reverse.vhdx')
    const file = await openFileSource(qemu.at('reverse.vhdx'))
    const disk = await readVhdx(file)
    expect(disk.size).toBe(size)
    expect(await firstDifference(disk, device)).toBe(-1)
    expect(await firstDifference(await copyRanges(disk), device)).toBe(-1)
    await file.close()
  })

  test('blocks behind the entries of sector bitmaps', async () => {
    const device = await sparseDisk(9 * GiB)
    await saveDevice(device, qemu.at('chunks.raw'))
    const options = ['-o', 'block_size=1M']
    await qemu.call('convert', '-f', 'raw', '-O', 'vhdx', ...options, '@chunks.raw', '@chunks.vhdx')
    const file = await openFileSource(qemu.at('chunks.vhdx'))
    const disk = await readVhdx(file)
    const [ours, theirs] = [new Uint8Array(2 * SPARSE_PIECE), new Uint8Array(2 * SPARSE_PIECE)]
    for (const offset of sparseOffsets(9 * GiB)) {
      await disk.read(offset, ours)
      await device.read(offset, theirs)
      expect(ours).toEqual(theirs)
    }
    await file.close()
  })
})

newestOracle('vhdiinfo', () => {
  test.each([512, 4096] as const)('libvhdi reads ours with sectors of %i bytes', async (sectorSize) => {
    const folder = temporaryFolder()
    await write(await sparseDisk(10 * GiB), `${folder}/disk.vhdx`, { sectorSize })
    const { stdout } = await runOkInOracleRoot(folder, 'vhdiinfo', ['/work/disk.vhdx'])
    expect(stdout).toMatch(/Disk type\s+: Dynamic/)
    expect(stdout).toMatch(/Media size\s+: .*10737418240/)
    expect(stdout).toMatch(new RegExp(`Bytes per sector\\s+: ${sectorSize} bytes`))
  })
})
