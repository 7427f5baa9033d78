import { open, readFile, stat } from 'node:fs/promises'
import { type ByteSource, concatBytes } from '@bootable/bytes'
import { nodeRuntime, openFileSource } from '@bootable/bytes/node'
import { readVmdk, type WriteVmdkOptions, writeVmdk } from '@bootable/disk/vmdk'
import { expect, test } from 'vitest'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import { newestOracle, runOkInOracleRoot } from '../../tooling/oracle-root.ts'
import { temporaryFolder } from '../../tooling/oracles.ts'
import { eachQemuImg } from '../../tooling/qemu-img.ts'
import { copyRanges, firstDifference, sampleDisk, sparseDisk, writeTo } from '../../tooling/sample-disk.ts'

const MiB = 1_048_576
const GiB = 1024 * MiB
const SECTOR = 512

const write = (source: ByteSource, path: string, options: Partial<WriteVmdkOptions> = {}): Promise<unknown> =>
  writeTo(path, (target) =>
    writeVmdk(source, target, { runtime: nodeRuntime, seed: 'lab', fileName: 'disk.vmdk', ...options }),
  )

/** Everything before the first grain, and how much of the file follows. */
async function front(path: string): Promise<Buffer> {
  const file = await open(path)
  const header = Buffer.alloc(SECTOR)
  await file.read(header, 0, SECTOR, 0)
  const data = Buffer.alloc(Number(header.readBigUInt64LE(0x40)) * SECTOR)
  await file.read(data, 0, data.length, 0)
  await file.close()
  return data
}

/** Which grains the tables of the directory at `field` of the header have. */
function grainsOf(data: Buffer, field: number): number[] {
  const directory = Number(data.readBigUInt64LE(field)) * SECTOR
  const tables = Math.ceil(Number(data.readBigUInt64LE(0x0c)) / 128 / 512)
  const grains: number[] = []
  for (let index = 0; index < tables * 512; index++) {
    const table = data.readUInt32LE(directory + Math.floor(index / 512) * 4) * SECTOR
    if (data.readUInt32LE(table + (index % 512) * 4) !== 0) grains.push(index)
  }
  return grains
}

/** The disk as VMware streams it: no tables in front, but markers and a footer at the end that says where. */
function asStream(file: Buffer): Uint8Array {
  const sectors = (field: number): number => Number(file.readBigUInt64LE(field))
  const [directory, overHead] = [sectors(0x38), sectors(0x40)]
  const directorySectors = file.readUInt32LE(directory * SECTOR) - directory
  const tables = Buffer.from(file.subarray((directory + directorySectors) * SECTOR, overHead * SECTOR))
  const marker = (count: number, type: number): Buffer => {
    const sector = Buffer.alloc(SECTOR)
    sector.writeUInt32LE(count, 0)
    sector.writeUInt32LE(type, 12)
    return sector
  }
  const header = Buffer.from(file.subarray(0, SECTOR))
  header.writeBigUInt64LE(0n, 0x30)
  header.writeUInt32LE(0x3_0001, 0x08)
  const end = file.length / SECTOR
  const list = Buffer.from(file.subarray(directory * SECTOR, (directory + directorySectors) * SECTOR))
  const moved = end + 1 - (directory + directorySectors)
  for (let at = 0; at < list.length && list.readUInt32LE(at) !== 0; at += 4) {
    list.writeUInt32LE(list.readUInt32LE(at) + moved, at)
  }
  const footer = Buffer.from(header)
  footer.writeBigUInt64LE(BigInt(end + 1 + tables.length / SECTOR + 1), 0x38)
  header.writeBigUInt64LE(2n ** 64n - 1n, 0x38)
  const front = Buffer.from(file.subarray(0, overHead * SECTOR)).fill(0, 21 * SECTOR)
  header.copy(front)
  return concatBytes([
    front,
    file.subarray(overHead * SECTOR),
    marker(tables.length / SECTOR, 1),
    tables,
    marker(directorySectors, 2),
    list,
    marker(1, 3),
    footer,
    marker(0, 0),
  ])
}

eachQemuImg((qemu) => {
  test.each([
    ['of 16 MiB', 16 * MiB],
    ['of 10 GiB', 10 * GiB],
    ['of an odd number of grains', 100 * MiB + 3 * SECTOR],
    ['of two tables', 32 * MiB + SECTOR],
    ['that fills two sectors of the directory', 4 * GiB + 32 * MiB],
  ])('header, descriptor and directories of a disk %s are those of qemu-img', async (_, size) => {
    const device = await sparseDisk(size)
    await saveDevice(device, qemu.at('same.raw'))
    await write(device, qemu.at('ours.vmdk'))
    // The name stands in the descriptor.
    const options = ['-c', '-o', 'subformat=streamOptimized']
    await qemu.call('convert', '-f', 'raw', '-O', 'vmdk', ...options, '@same.raw', '@disk.vmdk')

    const [ours, theirs] = [await front(qemu.at('ours.vmdk')), await front(qemu.at('disk.vmdk'))]
    expect(ours.length).toBe(theirs.length)
    expect(ours.subarray(0, SECTOR).equals(theirs.subarray(0, SECTOR))).toBe(true)
    const descriptor = (data: Buffer): string =>
      data
        .toString('latin1', SECTOR, 21 * SECTOR)
        .replace(/^CID=.*$/m, '')
        .replace(/\0+$/, '')
    expect(descriptor(ours)).toBe(descriptor(theirs))
    for (const field of [0x30, 0x38]) {
      expect(grainsOf(ours, field)).toEqual(grainsOf(theirs, field))
      const start = Number(ours.readBigUInt64LE(field)) * SECTOR
      const end = ours.readUInt32LE(start) * SECTOR
      expect(ours.subarray(start, end).equals(theirs.subarray(start, end))).toBe(true)
    }
  })

  test('check, info and compare', async () => {
    const device = await sampleDisk(120 * MiB)
    await saveDevice(device, qemu.at('sample.raw'))
    await write(device, qemu.at('sample.vmdk'), { cid: 0x1234abcd })
    expect(await qemu.call('check', '-f', 'vmdk', '@sample.vmdk')).toMatch(/No errors were found/)
    const compared = await qemu.call('compare', '-f', 'raw', '-F', 'vmdk', '@sample.raw', '@sample.vmdk')
    expect(compared).toMatch(/identical/)
    expect(await qemu.info('@sample.vmdk')).toMatchObject({
      format: 'vmdk',
      'virtual-size': 120 * MiB,
      'cluster-size': 65_536,
      'format-specific': {
        data: {
          'create-type': 'streamOptimized',
          cid: 0x1234abcd,
          'parent-cid': 0xffffffff,
          extents: [{ 'virtual-size': 120 * MiB, compressed: true, 'cluster-size': 65_536 }],
        },
      },
    })

    const options = ['-c', '-o', 'subformat=streamOptimized']
    await qemu.call('convert', '-f', 'raw', '-O', 'vmdk', ...options, '@sample.raw', '@theirs.vmdk')
    const sizes = await Promise.all(['sample.vmdk', 'theirs.vmdk'].map((name) => stat(qemu.at(name))))
    expect((sizes[0]?.size ?? 0) / (sizes[1]?.size ?? 1)).toBeLessThan(1.02)
    await qemu.call('convert', '-f', 'vmdk', '-O', 'raw', '@sample.vmdk', '@back.raw')
    const back = await openFileSource(qemu.at('back.raw'))
    expect(await firstDifference(back, device)).toBe(-1)
    await back.close()
  })

  test.each([512, 65_536, 65_536 + 512])('a disk of %i bytes', async (size) => {
    const device = await sampleDisk(size)
    await device.write(size - 512, new Uint8Array(512).fill(7))
    await saveDevice(device, qemu.at('small.raw'))
    await write(device, qemu.at('small.vmdk'))
    expect(await qemu.call('compare', '-f', 'raw', '-F', 'vmdk', '@small.raw', '@small.vmdk')).toMatch(
      /identical/,
    )
  })

  test('the other adapters have another geometry', async () => {
    const device = await sparseDisk(10 * GiB)
    await saveDevice(device, qemu.at('adapter.raw'))
    for (const adapterType of ['buslogic', 'lsilogic', 'legacyESX'] as const) {
      await write(device, qemu.at('adapter.vmdk'), { adapterType })
      const options = ['-c', '-o', `subformat=streamOptimized,adapter_type=${adapterType}`]
      await qemu.call('convert', '-f', 'raw', '-O', 'vmdk', ...options, '@adapter.raw', '@disk.vmdk')
      const [ours, theirs] = await Promise.all(
        ['adapter.vmdk', 'disk.vmdk'].map(async (name) =>
          (await front(qemu.at(name))).toString('latin1', SECTOR, 2048).replace(/^CID=.*$|\0+$/gm, ''),
        ),
      )
      expect(ours).toBe(theirs)
    }
  })

  test('tables at the end of the file, as VMware writes them', async () => {
    const device = await sampleDisk(60 * MiB)
    await saveDevice(device, qemu.at('stream.raw'))
    await write(device, qemu.at('front.vmdk'))
    const stream = asStream(await readFile(qemu.at('front.vmdk')))
    await writeTo(qemu.at('stream.vmdk'), (target) => target.write(0, stream))
    const compared = await qemu.call('compare', '-f', 'raw', '-F', 'vmdk', '@stream.raw', '@stream.vmdk')
    expect(compared).toMatch(/identical/)
    const file = await openFileSource(qemu.at('stream.vmdk'))
    const disk = await readVmdk(file, { runtime: nodeRuntime })
    expect(disk.info.footer).toBe(true)
    expect(await firstDifference(disk, device)).toBe(-1)
    await file.close()
  })

  const forms: [name: string, args: string[]][] = [
    ['streamOptimized', ['-c', '-o', 'subformat=streamOptimized']],
    ['monolithicSparse', ['-o', 'subformat=monolithicSparse']],
    ['monolithicSparse, zeros written out', ['-S', '0']],
    ['monolithicSparse with zeroed grains', ['-S', '0', '-o', 'zeroed_grain=on,adapter_type=lsilogic']],
    ['compat6', ['-o', 'compat6=on']],
  ]
  test.each(forms)('images of qemu-img are read: %s', async (_, args) => {
    const device = await sampleDisk(60 * MiB + 3 * SECTOR)
    await saveDevice(device, qemu.at('reverse.raw'))
    await qemu.call('convert', '-f', 'raw', '-O', 'vmdk', ...args, '@reverse.raw', '@reverse.vmdk')
    const file = await openFileSource(qemu.at('reverse.vmdk'))
    const disk = await readVmdk(file, { runtime: nodeRuntime })
    expect(disk.size).toBe(device.size)
    expect(await firstDifference(disk, device)).toBe(-1)
    expect(await firstDifference(await copyRanges(disk), device)).toBe(-1)
    await file.close()
  })

  test('zeroed grains read as zero', async () => {
    await qemu.call('create', '-f', 'vmdk', '-o', 'zeroed_grain=on', '@zeros.vmdk', '8M')
    await qemu.io('-c', 'write -P 5 0 4M', '-c', 'write -z 1M 1M', '@zeros.vmdk')
    const file = await openFileSource(qemu.at('zeros.vmdk'))
    const disk = await readVmdk(file)
    const ranges = []
    for await (const range of disk.dataRanges()) ranges.push(range)
    expect(ranges).toEqual([
      { offset: 0, length: MiB },
      { offset: 2 * MiB, length: 2 * MiB },
    ])
    await file.close()
  })

  test('disks of other files are refused', async () => {
    await qemu.call('create', '-f', 'vmdk', '@base.vmdk', '4M')
    await qemu.call('create', '-f', 'vmdk', '-b', '@base.vmdk', '-F', 'vmdk', '@child.vmdk')
    const child = await openFileSource(qemu.at('child.vmdk'))
    await expect(readVmdk(child)).rejects.toThrow(/parent/)
    await child.close()
    await qemu.call('create', '-f', 'vmdk', '-o', 'subformat=twoGbMaxExtentSparse', '@split.vmdk', '3G')
    const extent = await openFileSource(qemu.at('split-s001.vmdk'))
    await expect(readVmdk(extent)).rejects.toThrow(/one of several files/)
    await extent.close()
  })
})

newestOracle('vmdkinfo', () => {
  test('libvmdk reads our header and descriptor', async () => {
    const folder = temporaryFolder()
    await write(await sparseDisk(10 * GiB), `${folder}/disk.vmdk`)
    const { stdout } = await runOkInOracleRoot(folder, 'vmdkinfo', ['/work/disk.vmdk'])
    expect(stdout).toMatch(/Disk type\s+: Stream optimi[sz]ed/i)
    expect(stdout).toMatch(/Media size\s+: .*10737418240/)
  })
})
