import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GiB, MiB } from '@bootable/bytes'
import { createFileDevice, openFileSource } from '@bootable/bytes/node'
import { convertDiskFile, openDiskPath } from '@bootable/core/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeTarHeader } from '../../packages/disk/src/tar/header.ts'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import { type DockerRegistry, startDockerRegistry } from '../../tooling/docker-registry.ts'
import { oracle, qemuImg, requireTool, run, runOk, temporaryFolder } from '../../tooling/oracles.ts'
import { firstDifference, sampleDisk } from '../../tooling/sample-disk.ts'

const SIZE = 100 * MiB
const folder = temporaryFolder()
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  await saveDevice(await sampleDisk(SIZE), at('disk.raw'))
})

const convert = (name: string, type?: string) =>
  convertDiskFile(at('disk.raw'), at(name), { clock: 1_700_000_000, ...(type !== undefined && { type }) })

/** The bytes of a disk in a file of any format, against the raw one. */
async function expectSame(path: string): Promise<void> {
  const [opened, raw] = [await openDiskPath(path), await openFileSource(at('disk.raw'))]
  expect(opened.source.size).toBe(SIZE)
  expect(await firstDifference(opened.source, raw)).toBe(-1)
  await opened.close()
  await raw.close()
}

oracle('qemu-img', () => {
  test.each([
    ['disk.qcow2', 'qcow2'],
    ['disk.vmdk', 'vmdk'],
    ['disk.vhd', 'vpc'],
    ['disk.vhdx', 'vhdx'],
  ])('%s is the raw disk', async (name, format) => {
    await convert(name)
    expect(await qemuImg('compare', '-f', 'raw', '-F', format, at('disk.raw'), at(name))).toMatch(/identical/)
    await rm(at(name))
  })

  test.each([
    ['qcow2', 'qcow2', ['-c']],
    ['vmdk', 'vmdk', ['-o', 'subformat=streamOptimized']],
    ['vpc', 'vhd', ['-o', 'subformat=fixed,force_size']],
    ['vpc', 'vhd', ['-o', 'subformat=dynamic,force_size']],
    ['vhdx', 'vhdx', []],
  ])("qemu-img's own %s is recognised as %s and read", async (format, ours, options) => {
    await qemuImg('convert', '-f', 'raw', '-O', format, ...options, at('disk.raw'), at('theirs'))
    const opened = await openDiskPath(at('theirs'))
    expect(opened.format).toBe(ours)
    await opened.close()
    await expectSame(at('theirs'))
    await rm(at('theirs'))
  })
})

oracle(['tar', 'gzip'], () => {
  describe('an archive for Compute Engine', () => {
    test('is listed by tar as what Google asks for', async () => {
      await convert('image.tar.gz')
      await runOk('gzip', ['-t', at('image.tar.gz')])
      const { stdout } = await runOk('tar', ['-tvzf', at('image.tar.gz')], { env: { TZ: 'UTC' } })
      expect(stdout).toBe(`-rw-r--r-- root/root ${SIZE} 2023-11-14 22:13 disk.raw\n`)
    })

    test('holds the disk', async () => {
      await runOk('tar', ['-xzf', at('image.tar.gz'), '--transform', 's/disk/unpacked/', '-C', folder])
      await runOk('cmp', [at('disk.raw'), at('unpacked.raw')])
      await rm(at('unpacked.raw'))
      await expectSame(at('image.tar.gz'))
    })

    test.each([
      ['plain', []],
      ['sparse', ['-S']],
    ])('made by tar, %s, is read', async (name, options) => {
      const path = at(`${name}.tar.gz`)
      await runOk('tar', ['--format=oldgnu', ...options, '-czf', path, '-C', folder, 'disk.raw'])
      await expectSame(path)
    })

    test('has a size of more than 8 GiB where tar finds it', async () => {
      const size = 9 * GiB
      const archive = await createFileDevice(at('large.tar'), { size: size + 2048 })
      await archive.write(0, encodeTarHeader({ name: 'disk.raw', size }, 'oldgnu'))
      await archive.close()
      expect((await runOk('tar', ['-tvf', at('large.tar')])).stdout).toContain(` ${size} `)
      await rm(at('large.tar'))
    })
  })
})

oracle(['gzip', 'zstd'], () => {
  test.each([
    ['gz', 'gzip'],
    ['zst', 'zstd'],
  ])('a disk in .%s is one that %s unpacks', async (ending, tool) => {
    await convert(`packed.raw.${ending}`)
    const path = at(`packed.raw.${ending}`)
    await runOk(tool, ['-t', path])
    await runOk('sh', ['-c', `${tool} -dc "$1" | cmp - "$2"`, 'sh', path, at('disk.raw')])
    await expectSame(path)
  })

  test.each(['gzip', 'zstd'])("%s's own file is read", async (tool) => {
    await runOk('sh', ['-c', `${tool} -c "$1" > "$2"`, 'sh', at('disk.raw'), at('theirs.packed')])
    await expectSame(at('theirs.packed'))
  })
})

oracle(['tar', 'sha256sum', 'xmllint', 'qemu-img'], () => {
  test('an appliance is what its descriptors say', async () => {
    await convert('image.ova')
    const { stdout } = await runOk('tar', ['-tf', at('image.ova')])
    expect(stdout).toBe('image.ovf\nimage.mf\nimage.vmdk\n')
    await runOk('tar', ['-xf', at('image.ova'), '-C', folder])
    const digests = await readFile(at('image.mf'), 'utf8')
    const sums = digests.replace(/^SHA256\((.+)\)= (.+)$/gm, '$2  $1')
    await writeFile(at('sums'), sums)
    await runOk('sha256sum', ['-c', 'sums'], { cwd: folder })

    await runOk('xmllint', ['--noout', at('image.ovf')])
    const xpath = async (expression: string): Promise<string> =>
      (await runOk('xmllint', ['--xpath', `string(${expression})`, at('image.ovf')])).stdout.trim()
    const vmdk = await stat(at('image.vmdk'))
    expect(await xpath("//*[local-name()='File']/@*[local-name()='size']")).toBe(String(vmdk.size))
    expect(await xpath("//*[local-name()='Disk']/@*[local-name()='capacity']")).toBe(String(SIZE))
    expect(await xpath("//*[local-name()='VirtualSystemType']")).toBe('vmx-15')
    expect(await qemuImg('compare', '-f', 'raw', '-F', 'vmdk', at('disk.raw'), at('image.vmdk'))).toMatch(
      /identical/,
    )
    await expectSame(at('image.ova'))
  })

  test('an appliance that tar makes of the parts is read', async () => {
    await runOk('tar', ['--format=ustar', '-cf', 'made.ova', 'image.ovf', 'image.vmdk'], { cwd: folder })
    await expectSame(at('made.ova'))
  })
})

oracle(['skopeo', 'umoci', 'qemu-img', 'docker-registry'], () => {
  const skopeo = async (...args: string[]): Promise<string> =>
    (await runOk('skopeo', ['--insecure-policy', ...args])).stdout
  let registry: DockerRegistry
  beforeAll(async () => {
    registry = await startDockerRegistry()
  })
  afterAll(() => registry.close())

  test('a containerDisk holds the disk where KubeVirt looks, also behind a registry', async () => {
    await convertDiskFile(at('disk.raw'), `oci-archive:${at('vm.tar')}`, {
      type: 'containerdisk',
      architecture: 'arm64',
      clock: 1_700_000_000,
    })
    const inspected = JSON.parse(await skopeo('inspect', `oci-archive:${at('vm.tar')}`)) as object
    expect(inspected).toMatchObject({ Architecture: 'arm64', Os: 'linux', Created: '2023-11-14T22:13:20Z' })

    const remote = `docker://${registry.host}/vm:1`
    await skopeo('copy', '--dest-tls-verify=false', `oci-archive:${at('vm.tar')}`, remote)
    await skopeo('copy', '--src-tls-verify=false', remote, `oci:${at('layout')}:vm`)
    await runOk('umoci', ['unpack', '--rootless', '--image', `${at('layout')}:vm`, at('bundle')])
    const disk = at('bundle/rootfs/disk/disk.qcow2')
    expect(await qemuImg('compare', '-f', 'raw', '-F', 'qcow2', at('disk.raw'), disk)).toMatch(/identical/)

    const { stdout } = await runOk('sh', [
      '-c',
      'for blob in "$1"/blobs/sha256/*; do tar --numeric-owner -tvf "$blob" 2>/dev/null; done || true',
      'sh',
      at('layout'),
    ])
    expect(stdout).toMatch(/^drwxr-xr-x 107\/107 .* disk\/\n-r--r----- 107\/107 .* disk\/disk\.qcow2\n$/)

    await convertDiskFile(remote, at('back.raw'), { registry: { insecure: true } })
    await runOk('cmp', [at('disk.raw'), at('back.raw')])
  })

  test('an artifact passes through a registry and gives its file back', async () => {
    await convertDiskFile(at('disk.raw'), `oci:${at('artifacts')}:disk`, { type: 'artifact' })
    const remote = `docker://${registry.host}/artifact:1`
    await skopeo('copy', '--dest-tls-verify=false', `oci:${at('artifacts')}:disk`, remote)
    const manifest = JSON.parse(await skopeo('inspect', '--tls-verify=false', '--raw', remote)) as object
    expect(manifest).toMatchObject({
      artifactType: 'application/vnd.bootable.disk.v1',
      layers: [{ annotations: { 'org.opencontainers.image.title': 'disk.qcow2' } }],
    })
    await convertDiskFile(remote, at('artifact.raw'), { registry: { insecure: true } })
    await runOk('cmp', [at('disk.raw'), at('artifact.raw')])
  })
})

test.runIf(requireTool('zstd'))('a zst that was cut is no disk for zstd, nor for us', async () => {
  const packed = await readFile(at('packed.raw.zst'))
  await writeFile(at('cut.zst'), packed.subarray(0, packed.length / 2))
  expect((await run('zstd', ['-t', at('cut.zst')])).status).not.toBe(0)
  await expect(openDiskPath(at('cut.zst'))).rejects.toMatchObject({ code: 'INSPECT_UNKNOWN' })
})
