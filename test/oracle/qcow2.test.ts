import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type ByteSink, type ByteSource, isZero, memoryDevice } from '@bootable/bytes'
import { createFileDevice, nodeRuntime, openFileSource } from '@bootable/bytes/node'
import { readQcow2, type WriteQcow2Options, writeQcow2 } from '@bootable/disk/qcow2'
import { describe, expect, test } from 'vitest'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import { oracle, qemuImg, runOk, temporaryFolder } from '../../tooling/oracles.ts'
import { copyRanges, firstDifference, sampleDisk } from '../../tooling/sample-disk.ts'

const MiB = 1_048_576
const CLUSTER = 65_536
const PAGE = 4096

async function writeFileQcow2(
  source: ByteSource,
  path: string,
  options: WriteQcow2Options = {},
): Promise<void> {
  const target = await createFileDevice(path)
  await writeQcow2(source, target, { runtime: nodeRuntime, ...options })
  await target.close()
}

/** What `qemu-img check` finds; it ends with a status other than 0 for an error or a leaked cluster. */
async function check(path: string): Promise<Record<string, unknown>> {
  const { stdout } = await runOk('qemu-img', ['check', '--output=json', '-f', 'qcow2', path])
  return JSON.parse(stdout) as Record<string, unknown>
}

oracle('qemu-img', () => {
  const folder = temporaryFolder()
  const at = (name: string): string => join(folder, name)

  describe('images of ours', () => {
    test.each([
      ['plain', { compress: false }],
      ['compressed', { compress: true }],
      ['compressed hard', { compress: true, level: 9, concurrency: 2 }],
    ] as const)('%s', async (name, options) => {
      const device = await sampleDisk(1200 * MiB)
      const [raw, image] = [at(`${name}.raw`), at(`${name}.qcow2`)]
      await saveDevice(device, raw)
      await writeFileQcow2(device, image, options)

      const found = await check(image)
      expect(found['check-errors']).toBe(0)
      expect(found.leaks ?? 0).toBe(0)
      expect(found.corruptions ?? 0).toBe(0)
      expect(found['image-end-offset']).toBe((await stat(image)).size)
      expect((found['compressed-clusters'] as number) > 0).toBe(options.compress !== false)
      expect(await qemuImg('compare', '-f', 'raw', '-F', 'qcow2', raw, image)).toMatch(/identical/)

      const info = JSON.parse(await qemuImg('info', '--output=json', image)) as Record<string, unknown>
      expect(info).toMatchObject({
        'virtual-size': 1200 * MiB,
        'cluster-size': CLUSTER,
        format: 'qcow2',
        'format-specific': {
          data: {
            compat: '1.1',
            'compression-type': 'zlib',
            'lazy-refcounts': false,
            'refcount-bits': 16,
            corrupt: false,
            'extended-l2': false,
          },
        },
      })
      expect(info['backing-filename']).toBeUndefined()
    })

    test('compressed is about as small as what qemu-img makes', async () => {
      const [raw, ours, theirs] = [at('size.raw'), at('ours.qcow2'), at('theirs.qcow2')]
      const device = await sampleDisk(300 * MiB)
      await saveDevice(device, raw)
      await writeFileQcow2(device, ours)
      await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', '-c', raw, theirs)
      expect((await stat(ours)).size / (await stat(theirs)).size).toBeLessThan(1.02)
    })

    test.each([0, 512, CLUSTER, CLUSTER + 512, 512 * MiB, 512 * MiB + 512])(
      'a disk of %i bytes',
      async (size) => {
        const device = memoryDevice(size)
        if (size > 0) await device.write(size - 512, new Uint8Array(512).fill(7))
        const image = at(`size-${size}.qcow2`)
        await writeFileQcow2(device, image)
        expect((await check(image))['check-errors']).toBe(0)
        const info = JSON.parse(await qemuImg('info', '--output=json', image)) as Record<string, unknown>
        expect(info['virtual-size']).toBe(size)
      },
    )

    test('a large disk with little in it', async () => {
      const device = memoryDevice(2 ** 43)
      for (const offset of [0, 2 ** 40 + 4096, 2 ** 43 - CLUSTER])
        await device.write(offset, new Uint8Array(5000).fill(3))
      const image = at('large.qcow2')
      await writeFileQcow2(device, image)
      expect((await check(image))['check-errors']).toBe(0)
      const raw = at('large.raw')
      await saveDevice(device, raw)
      expect(await qemuImg('compare', '-f', 'raw', '-F', 'qcow2', raw, image)).toMatch(/identical/)
    })

    test('more than one refcount block', async () => {
      const image = at('blocks.qcow2')
      const size = 2200 * MiB
      const source: ByteSource = {
        size,
        async read(_, target) {
          for (let at = 0; at < target.length; at += CLUSTER) target[at] = 1
        },
      }
      // Every cluster of the disk holds one byte, so that 2 GiB of clusters take little room here.
      const file = await createFileDevice(image)
      const target: ByteSink = {
        truncate: (length) => file.truncate(length),
        async write(offset, data) {
          const writes: Promise<void>[] = []
          for (let from = 0; from < data.length; from += PAGE) {
            const page = data.subarray(from, from + PAGE)
            if (!isZero(page)) writes.push(file.write(offset + from, page))
          }
          await Promise.all(writes)
        },
      }
      await writeQcow2(source, target, { compress: false })
      await file.close()
      expect(await check(image)).toMatchObject({ 'check-errors': 0, 'allocated-clusters': size / CLUSTER })
    })
  })

  describe('images of qemu-img, read by us', () => {
    const versions: [name: string, args: string[]][] = [
      ['plain', []],
      ['compressed', ['-c']],
      ['version 2', ['-c', '-o', 'compat=0.10']],
      ['clusters of 512 bytes', ['-o', 'cluster_size=512']],
      ['compressed clusters of 512 bytes', ['-c', '-o', 'cluster_size=512']],
      ['compressed clusters of 4 KiB', ['-c', '-o', 'cluster_size=4k']],
      ['compressed clusters of 2 MiB', ['-c', '-o', 'cluster_size=2M']],
      ['one-bit refcounts', ['-o', 'refcount_bits=1']],
      ['metadata allocated ahead', ['-o', 'preallocation=metadata']],
      ['zeros written out', ['-S', '0']],
    ]
    test.each(versions)('%s', async (name, args) => {
      const device = await sampleDisk(150 * MiB)
      const [raw, image] = [at('reverse.raw'), at(`reverse ${name}.qcow2`)]
      await saveDevice(device, raw)
      await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', ...args, raw, image)
      const file = await openFileSource(image)
      const disk = await readQcow2(file, { runtime: nodeRuntime })
      expect(disk.size).toBe(device.size)
      expect(await firstDifference(disk, device)).toBe(-1)
      expect(await firstDifference(await copyRanges(disk), device)).toBe(-1)
      await file.close()
    })

    test('zero clusters', async () => {
      const image = at('zeros.qcow2')
      await qemuImg('create', '-f', 'qcow2', image, '8M')
      const commands = ['write -P 5 0 4M', 'write -z 1M 1M', 'write -z 6M 1M', 'write -c -P 9 7M 64k']
      await runOk('qemu-io', [...commands.flatMap((command) => ['-c', command]), image])
      const file = await openFileSource(image)
      const disk = await readQcow2(file, { runtime: nodeRuntime })
      const expected = memoryDevice(8 * MiB)
      await expected.write(0, new Uint8Array(4 * MiB).fill(5))
      await expected.write(MiB, new Uint8Array(MiB))
      await expected.write(7 * MiB, new Uint8Array(CLUSTER).fill(9))
      expect(await firstDifference(disk, expected)).toBe(-1)
      const ranges = []
      for await (const range of disk.dataRanges()) ranges.push(range)
      expect(ranges).toEqual([
        { offset: 0, length: MiB },
        { offset: 2 * MiB, length: 2 * MiB },
        { offset: 7 * MiB, length: CLUSTER },
      ])
      await file.close()
    })

    const refused: [name: string, args: string[]][] = [
      ['extended L2 entries', ['-o', 'extended_l2=on,cluster_size=64k']],
      ['external data', ['-o', `data_file=${join(folder, 'external')}`]],
    ]
    test.each(refused)('%s is refused', async (name, args) => {
      const image = at(`refused ${name}.qcow2`)
      await qemuImg('create', '-f', 'qcow2', ...args, image, '1M')
      await expect(readQcow2(await openFileSource(image))).rejects.toMatchObject({
        code: 'FORMAT_UNSUPPORTED',
      })
    })

    test('a backing file is refused', async () => {
      const [base, image] = [at('base.qcow2'), at('overlay.qcow2')]
      await qemuImg('create', '-f', 'qcow2', base, '1M')
      await qemuImg('create', '-f', 'qcow2', '-b', base, '-F', 'qcow2', image)
      await expect(readQcow2(await openFileSource(image))).rejects.toThrow(/backing file/)
    })
  })

  test('ours back to raw by qemu-img', async () => {
    const [image, back] = [at('forth.qcow2'), at('back.raw')]
    const device = memoryDevice(CLUSTER + 512)
    await device.write(CLUSTER, new Uint8Array(512).fill(7))
    await writeFileQcow2(device, image)
    await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', image, back)
    const bytes = await readFile(back)
    expect(bytes.length).toBe(CLUSTER + 512)
    expect(isZero(bytes.subarray(0, CLUSTER))).toBe(true)
    expect(bytes.subarray(CLUSTER).every((byte) => byte === 7)).toBe(true)
  })
})
