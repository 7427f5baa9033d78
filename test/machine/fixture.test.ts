import { createHash } from 'node:crypto'
import { createReadStream, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type FileSource, openFileSource } from '@bootable/bytes/node'
import { type Disk, openDisk } from '@bootable/disk'
import { removePath } from '@bootable/tree'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { differences } from '../../tooling/compliance/filesystem.ts'
import { type Converter, prepareConverter } from '../../tooling/converter.ts'
import { diskFindings } from '../../tooling/disk-findings.ts'
import { startDockerRegistry } from '../../tooling/docker-registry.ts'
import { findFixture } from '../../tooling/fixture.ts'
import { type Guest, startGuest } from '../../tooling/guest.ts'
import { readHostTree } from '../../tooling/host-tree.ts'
import {
  canLoopMount,
  qemuImg,
  requireTool,
  runOk,
  temporaryFolder,
  withLoopMount,
} from '../../tooling/oracles.ts'
import { requireMachine } from '../../tooling/qemu.ts'

const fixture = findFixture('trixie-minimal')
const zstd = findFixture('trixie-minimal-zstd')
const tools = requireTool(
  'e2fsck',
  'fsck.fat',
  'sgdisk',
  'qemu-img',
  'skopeo',
  'umoci',
  'docker-registry',
  'ssh',
  'ssh-keygen',
)

const PASSWORD = 'correct horse battery'
const PLAIN = ['--layout', 'plain', '--type', 'raw']

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash)
  return hash.digest('hex')
}

describe.runIf(fixture && zstd && tools)('a plain Debian system, by an unprivileged user', () => {
  if (!fixture || !zstd) return
  const folder = temporaryFolder()
  let converter: Converter
  let raw: string
  let qcow2: string
  let disk: Disk
  let digest: string
  const sources: FileSource[] = []
  const open = async (path: string): Promise<Disk> => {
    const source = await openFileSource(path)
    sources.push(source)
    return openDisk(source)
  }

  beforeAll(async () => {
    converter = await prepareConverter((key) => ({
      user: [{ name: 'anna', description: 'Anna', password: PASSWORD, key, groups: ['sudo'] }],
    }))
    const first = [...PLAIN, '--type', 'qcow2', `oci-archive:${fixture.archive}`]
    const output = await converter.build(first, 'first')
    raw = join(output, 'image/disk.raw')
    qcow2 = join(output, 'qcow2/disk.qcow2')
    disk = await open(raw)
    digest = await sha256(raw)
  })

  afterAll(async () => {
    await Promise.all(sources.map((source) => source.close()))
    converter.command.close()
  })

  it('is faultless to sgdisk, e2fsck, fsck.fat and qemu-img', async () => {
    expect(await diskFindings(raw, disk, folder)).toEqual([])
    expect(disk.partitions.map((partition) => partition.filesystem?.type)).toEqual([
      undefined,
      'vfat',
      'ext4',
      'ext4',
    ])
    expect(await qemuImg('check', qcow2)).toContain('No errors were found')
    expect(await qemuImg('compare', raw, qcow2)).toContain('Images are identical')
  })

  it('has the same bytes again, with layers from the cache alone', async () => {
    // A store without its layers: whoever opened one would fail.
    const layout = join(converter.folder, 'hollow')
    await runOk('cp', ['-r', fixture.layout, layout])
    const { layers } = JSON.parse(await inspectRaw(layout)) as { layers: { digest: string }[] }
    for (const { digest } of layers) rmSync(join(layout, 'blobs', ...digest.split(':')))
    await runOk('chmod', ['-R', 'a+rX', layout])
    const output = await converter.build([...PLAIN, `oci:${layout}:latest`], 'again')
    expect(await sha256(join(output, 'image/disk.raw'))).toBe(digest)
  })

  it('has the same bytes from a registry, and another digest but the same system from zstd layers', async () => {
    const registry = await startDockerRegistry()
    try {
      const copy = ['copy', '-q', '--insecure-policy', '--dest-tls-verify=false']
      await runOk(
        'skopeo',
        [...copy, `oci:${fixture.layout}:latest`, `docker://${registry.host}/lab/machine:1`],
        { timeout: 120_000 },
      )
      const output = await converter.build(
        [...PLAIN, '--no-cache', `docker://${registry.host}/lab/machine:1`],
        'registry',
      )
      expect(await sha256(join(output, 'image/disk.raw'))).toBe(digest)
    } finally {
      await registry.close()
    }
    const output = await converter.build([...PLAIN, `oci-archive:${zstd.archive}`], 'zstd')
    const other = await open(join(output, 'image/disk.raw'))
    // The seed follows from the digest: uuids and salts are others, of the same length.
    expect(await differences(await rootTree(disk), await rootTree(other), { contents: false })).toEqual([])
  })

  describe.runIf(process.getuid?.() === 0 && requireTool('getfattr'))(
    'compared with what umoci unpacks',
    () => {
      let expected: Awaited<ReturnType<typeof readHostTree>>

      beforeAll(async () => {
        const bundle = join(folder, 'bundle')
        await runOk('umoci', ['unpack', '--image', `${fixture.layout}:latest`, bundle], { timeout: 300_000 })
        expected = await readHostTree(join(bundle, 'rootfs'))
      })

      it('has every file as the image has it, read by us', async () => {
        const changes = await differences(expected, await rootTree(disk))
        expect(changes).toMatchSnapshot()
      })

      it.runIf(canLoopMount('ext4'))('has every file as the image has it, read by the kernel', async () => {
        const root = disk.partitions.find((partition) => partition.filesystem?.label === 'root')
        if (!root) throw new Error('no root')
        const { start, size } = root
        await withLoopMount(
          raw,
          { offset: start, size, type: 'ext4', options: 'noload' },
          async (mounted) => {
            const tree = await readHostTree(mounted)
            removePath(tree, 'lost+found')
            expect(await differences(await rootTree(disk), tree)).toEqual([])
          },
        )
      })
    },
  )

  describe.runIf(requireMachine('uefi'))('boots under UEFI', () => {
    it('to a login by password, a login by key and a web page', async () => {
      const guest: Guest = await startGuest({
        disk: qcow2,
        format: 'qcow2',
        identity: converter.identity,
      })
      try {
        const facts = 'id -un; id -Gn; findmnt -no FSTYPE /'
        expect(await guest.logIn('anna', PASSWORD, facts)).toMatch(/^anna\s+anna sudo\s+ext4\s*$/)
        expect(await guest.page()).toContain('bootable')

        const command = 'id -un; systemctl is-system-running --wait; cat /proc/cmdline'
        const { stdout, stderr } = await guest.run('anna', command)
        expect(stdout.split('\n').slice(0, 2), stderr).toEqual(['anna', 'running'])
        expect(stdout).toMatch(/root=UUID=[0-9a-f-]{36} .*rw.* console=ttyS0/)
      } finally {
        await guest.close()
      }
    })
  })
})

/** The manifest of a layout's image, as skopeo reads it. */
async function inspectRaw(layout: string): Promise<string> {
  return (await runOk('skopeo', ['inspect', '--raw', `oci:${layout}:latest`])).stdout
}

/** The root filesystem of a disk, without what lies on other partitions. */
async function rootTree(disk: Disk): ReturnType<Disk['readTree']> {
  const root = disk.partitions.find((partition) => partition.filesystem?.label === 'root')
  if (!root) throw new Error('the disk has no root filesystem')
  const tree = await disk.readTree(root)
  removePath(tree, 'lost+found')
  return tree
}
