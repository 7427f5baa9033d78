import { readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MiB, type memoryDevice, readAll, sliceSource, utf8 } from '@bootable/bytes'
import { createFileDevice, nodeRuntime, openFileSource } from '@bootable/bytes/node'
import {
  type CreateLuksVolumeOptions,
  createLuksVolume,
  LUKS_OVERHEAD,
  type PlanLuksOptions,
  planLuks,
  readLuks,
} from '@bootable/disk/luks'
import { openLogicalVolume, planVolumeGroup, readVolumeGroup, writeVolumeGroup } from '@bootable/disk/lvm'
import { readExt4, writeExt4 } from '@bootable/filesystems/ext4'
import { expect, test } from 'vitest'
import { differences } from '../../tooling/compliance/filesystem.ts'
import { sampleTree } from '../../tooling/compliance/sample-tree.ts'
import { patternBytes } from '../../tooling/compliance/trees.ts'
import { e2fsck, oracle, run, runOk, temporaryFolder } from '../../tooling/oracles.ts'

const UUID = '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10'
const PASSPHRASE = 'correct horse'
const runtime = nodeRuntime

/** The least that cryptsetup and the format allow: nothing here depends on the cost. */
const PBKDF2 = { type: 'pbkdf2', hash: 'sha256', iterations: 1000 } as const
const ARGON2ID = { type: 'argon2id', time: 4, memory: 64, cpus: 2 } as const

oracle('cryptsetup', () => {
  const folder = temporaryFolder()
  const image = join(folder, 'image')

  /** cryptsetup with the passphrase on its standard input. */
  const cryptsetup = (...args: string[]): ReturnType<typeof run> =>
    run('cryptsetup', ['--batch-mode', '--key-file', '-', ...args], { input: PASSPHRASE })

  async function cryptsetupOk(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await cryptsetup(...args)
    if (status !== 0) throw new Error(`cryptsetup ${args.join(' ')}: ${stdout}${stderr}`)
    return stdout
  }

  /** Lets cryptsetup decrypt a volume in place, which takes no device-mapper: the file is then the data. */
  async function decrypt(path: string): Promise<void> {
    const header = join(folder, 'header')
    await rm(header, { force: true })
    await cryptsetupOk('reencrypt', '--decrypt', '--force-offline-reencrypt', '--header', header, path)
  }

  async function createVolume(
    size: number,
    { volumeKey, ...planned }: Partial<PlanLuksOptions> & Pick<CreateLuksVolumeOptions, 'volumeKey'> = {},
  ): Promise<{
    file: Awaited<ReturnType<typeof createFileDevice>>
    opened: ReturnType<typeof memoryDevice>
  }> {
    const plan = planLuks({ uuid: UUID, seed: 'lab', pbkdf: PBKDF2, ...planned })
    const file = await createFileDevice(image, { size })
    const secrets = { passphrase: utf8(PASSPHRASE), ...(volumeKey && { volumeKey }) }
    return { file, opened: await createLuksVolume(file, { ...plan, ...secrets, runtime }) }
  }

  test.each([
    ['argon2id', { pbkdf: ARGON2ID, label: 'root' }],
    ['pbkdf2 with sha512, sectors of 4096', { pbkdf: { ...PBKDF2, hash: 'sha512' }, sectorSize: 4096 }],
    ['pbkdf2, a given key', { volumeKey: patternBytes(64, 9), subsystem: 'bootable' }],
  ] as const)('volumes of ours, %s: opened, dumped, decrypted', async (_, options) => {
    const { file, opened } = await createVolume(24 * MiB, options)
    const content = patternBytes(8 * MiB, 3)
    await opened.write(0, content.subarray(0, 3_000_001))
    await opened.write(3_000_001, content.subarray(3_000_001))
    await file.close()

    await cryptsetupOk('open', '--test-passphrase', image)
    const wrong = await run('cryptsetup', ['open', '--test-passphrase', '--key-file', '-', image], {
      input: 'wrong',
    })
    expect(wrong.status).toBe(2)
    expect(await cryptsetupOk('luksUUID', image)).toBe(`${UUID}\n`)
    const dump = await cryptsetupOk('luksDump', image)
    expect(dump).toMatch(/^Version:\s+2$/m)
    expect(dump).toMatch(new RegExp(`^Label:\\s+${'label' in options ? 'root' : '\\(no label\\)'}$`, 'm'))
    expect(dump).toMatch(new RegExp(`sector: ${'sectorSize' in options ? 4096 : 512} \\[bytes\\]`))
    if ('volumeKey' in options) {
      const shown = await cryptsetupOk('luksDump', '--dump-volume-key', image)
      const digits = shown.slice(shown.indexOf('MK dump:') + 8).replace(/\s/g, '')
      expect(digits).toBe(Buffer.from(options.volumeKey).toString('hex'))
    }
    await decrypt(image)
    expect(Buffer.compare((await readFile(image)).subarray(0, content.length), content)).toBe(0)
  })

  test('a header of ours has the members of cryptsetup’s, in its order, and passes its repair', async () => {
    const { file } = await createVolume(20 * MiB, { pbkdf: ARGON2ID, sectorSize: 4096, label: 'root' })
    await file.close()
    const before = await readFile(image)
    await cryptsetupOk('repair', image)
    expect(Buffer.compare(await readFile(image), before)).toBe(0)

    const theirs = join(folder, 'theirs')
    await writeFile(theirs, '')
    await truncate(theirs, 20 * MiB)
    const cost = ['--pbkdf-force-iterations', '4', '--pbkdf-memory', '64', '--pbkdf-parallel', '2']
    await cryptsetupOk('luksFormat', '--type', 'luks2', '--sector-size', '4096', ...cost, theirs)
    const shape = async (path: string): Promise<string> =>
      (await readFile(path))
        .toString('latin1', 4096, 16_384)
        .replaceAll(/"(salt|digest)":"[^"]+"/g, '"$1":""')
        .replace(/"iterations":\d+/, '"iterations":0')
        .replace(/\0+$/, '')
    expect(await shape(image)).toBe(await shape(theirs))
  })

  test('cryptsetup repairs a damaged copy, adds a key slot, and ours reads both', async () => {
    const { file, opened } = await createVolume(20 * MiB)
    await opened.write(4096, patternBytes(5000))
    await file.write(4100, Uint8Array.of(0xff))
    await file.close()
    const source = await openFileSource(image)
    expect((await readLuks(source, { runtime })).copy).toBe('backup')
    await source.close()

    const added = join(folder, 'added')
    await writeFile(added, 'another')
    const cost = ['--pbkdf', 'argon2id', '--pbkdf-force-iterations', '4', '--pbkdf-memory', '64']
    await cryptsetupOk('luksAddKey', ...cost, image, added)
    const changed = await openFileSource(image)
    const volume = await readLuks(changed, { runtime })
    expect(volume).toMatchObject({ copy: 'primary', keyslots: [{ number: 0 }, { number: 1 }] })
    for (const passphrase of [PASSPHRASE, 'another']) {
      const plain = await volume.unlock(utf8(passphrase))
      const found = await readAll(sliceSource(plain, 4096, 5000))
      expect(Buffer.compare(found, patternBytes(5000))).toBe(0)
    }
    await changed.close()
  })

  test.each([
    ['argon2id', ['--pbkdf', 'argon2id', '--pbkdf-memory', '64', '--pbkdf-force-iterations', '4']],
    ['argon2i', ['--pbkdf', 'argon2i', '--pbkdf-memory', '32', '--pbkdf-force-iterations', '5']],
    ['pbkdf2', ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000']],
    ['sha512', ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', '--hash', 'sha512']],
    ['AES-128', ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', '--key-size', '256']],
    ['sectors of 4096', ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', '--sector-size', '4096']],
    [
      'metadata of 64 KiB',
      ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', '--luks2-metadata-size', '64k'],
    ],
  ])('volumes of theirs, %s: unlocked, and what cryptsetup encrypted reads back', async (_, options) => {
    const content = patternBytes(48 * MiB, 4)
    await writeFile(image, content)
    await cryptsetupOk(
      ...['reencrypt', '--encrypt', '--type', 'luks2', '--force-offline-reencrypt'],
      ...['--reduce-device-size', '32M', ...options, image],
    )
    const source = await openFileSource(image)
    const plain = await (await readLuks(source, { runtime })).unlock(utf8(PASSPHRASE))
    const found = await readAll(sliceSource(plain, 0, 16 * MiB))
    expect(Buffer.compare(found, content.subarray(0, found.length))).toBe(0)
    await source.close()
  })

  test('LUKS1 and other ciphers of theirs are refused by name', async () => {
    for (const options of [
      ['--type', 'luks1', '--pbkdf-force-iterations', '1000'],
      [
        '--type',
        'luks2',
        '--pbkdf',
        'pbkdf2',
        '--pbkdf-force-iterations',
        '1000',
        '--cipher',
        'aes-cbc-essiv:sha256',
      ],
    ]) {
      await rm(image, { force: true })
      await writeFile(image, '')
      await truncate(image, 20 * MiB)
      const { status, stderr } = await cryptsetup('luksFormat', ...options, image)
      // Some ciphers it leaves to the kernel's device-mapper, which may not be there.
      if (status !== 0) {
        expect(stderr).toMatch(/device-mapper/)
        continue
      }
      const source = await openFileSource(image)
      await expect(readLuks(source)).rejects.toMatchObject({ code: 'FORMAT_UNSUPPORTED' })
      await source.close()
    }
  })

  test('ext4 in a volume: no finding after cryptsetup has decrypted it', async () => {
    for (const sectorSize of [512, 4096]) {
      const { file, opened } = await createVolume(56 * MiB, { sectorSize })
      const tree = sampleTree()
      await writeExt4(tree, opened, { uuid: UUID, time: 1_700_000_000 })
      await file.close()
      const source = await openFileSource(image)
      const plain = await (await readLuks(source, { runtime })).unlock(utf8(PASSPHRASE))
      const found = await (await readExt4(plain)).tree()
      found.root.entries.delete('lost+found')
      expect(await differences(tree, found)).toEqual([])
      await source.close()
    }
    await decrypt(image)
    expect(await e2fsck(image)).toEqual([])
  })

  test('a volume group in a volume, read through both', async () => {
    const { file, opened } = await createVolume(64 * MiB)
    const volumes = [{ name: 'rootlv', size: 30 * MiB }]
    const layout = planVolumeGroup({ name: 'vg00', seed: 'lab', size: opened.size, volumes })
    await writeVolumeGroup(layout, opened)
    await writeExt4(sampleTree(), openLogicalVolume(layout, opened, 'rootlv'), { uuid: UUID })
    await file.close()
    const source = await openFileSource(image)
    const plain = await (await readLuks(source, { runtime })).unlock(utf8(PASSPHRASE))
    const [root] = (await readVolumeGroup(plain)).volumes
    expect((await readExt4(root?.open() as never)).uuid).toBe(UUID)
    await source.close()
  })
})

oracle(['cryptsetup', 'blkid'], () => {
  const image = join(temporaryFolder(), 'image')

  test('blkid sees uuid, label and version', async () => {
    const plan = planLuks({ uuid: UUID, seed: 'lab', pbkdf: PBKDF2, label: 'root' })
    const file = await createFileDevice(image, { size: LUKS_OVERHEAD + MiB })
    await createLuksVolume(file, { ...plan, passphrase: utf8(PASSPHRASE), runtime })
    await file.close()
    const { stdout } = await runOk('blkid', ['-p', '-o', 'export', image])
    const expected = ['TYPE=crypto_LUKS', 'VERSION=2', `UUID=${UUID}`, 'LABEL=root']
    expect(stdout.split('\n')).toEqual(expect.arrayContaining(expected))
  })
})
