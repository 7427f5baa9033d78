import { readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KiB, MiB, memoryDevice, readAll } from '@bootable/bytes'
import { openFileSource } from '@bootable/bytes/node'
import { readSwap, writeSwap } from '@bootable/filesystems/swap'
import { expect, test } from 'vitest'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import { noiseDevice } from '../../tooling/compliance/noise.ts'
import { oracle, runOk, temporaryFolder } from '../../tooling/oracles.ts'

const UUID = '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10'

oracle(['mkswap', 'swaplabel', 'blkid'], () => {
  const folder = temporaryFolder()
  const path = join(folder, 'swap')

  test.each([
    [40 * KiB, 4096, ''],
    [10 * MiB, 4096, 'swap'],
    [10 * MiB + 777, 4096, 'fifteen bytes !'],
    [10 * MiB, 65_536, 'Überlauf'],
    [60 * MiB, 16_384, 's'],
  ])('%d bytes in pages of %d, label "%s": the same bytes as mkswap', async (size, pageSize, label) => {
    await rm(path, { force: true })
    await writeFile(path, '', { mode: 0o600 })
    await truncate(path, size)
    const named = label === '' ? [] : ['-L', label]
    await runOk('mkswap', ['-U', UUID, '-p', String(pageSize), ...named, path])
    const theirs = await readFile(path)
    const device = memoryDevice(size)
    const area = await writeSwap(device, { uuid: UUID, label, pageSize })
    expect(Buffer.compare(await readAll(device), theirs)).toBe(0)
    const source = await openFileSource(path)
    expect(await readSwap(source)).toEqual(area)
    await source.close()
  })

  test('blkid and swaplabel see uuid and label, on noise too', async () => {
    const device = noiseDevice(MiB)
    await writeSwap(device, { uuid: UUID, label: 'swap' })
    await saveDevice(device, path)
    const { stdout } = await runOk('blkid', ['-p', '-o', 'export', path])
    expect(stdout.split('\n')).toEqual(expect.arrayContaining(['TYPE=swap', `UUID=${UUID}`, 'LABEL=swap']))
    expect((await runOk('swaplabel', [path])).stdout).toMatch(new RegExp(`swap\\s+UUID:\\s+${UUID}`))
  })
})
