import type { Blueprint, DiskCustomization } from '@bootable/blueprint'
import { BootableError, type ProgressEvent } from '@bootable/bytes'
import type { InstalledSystem } from '@bootable/system'
import { createFile, createTree, putInode } from '@bootable/tree'
import { describe, expect, it } from 'vitest'
import { requestDisk } from '../../src/pipeline/disk-request.ts'
import type { MachineOptions } from '../../src/pipeline/options.ts'

const NEW = 'usr/lib/image-builder/bootc/disk.yaml'
const CONFIG = 'usr/lib/bootc-image-builder/config.toml'

/** A system of an image with these files. */
function image(
  files: Readonly<Record<string, string>> = {},
  installConfiguration: Partial<InstalledSystem['installConfiguration']> = {},
): InstalledSystem {
  const root = createTree()
  for (const [path, text] of Object.entries(files)) putInode(root, path, createFile(text))
  return {
    sysroot: root,
    root,
    layout: 'plain',
    architecture: 'x86_64',
    kernel: { version: '1', vmlinuz: 'vmlinuz' },
    kernelArguments: [],
    osRelease: {},
    installConfiguration: { kargs: [], kargDeletes: [], ...installConfiguration },
    warnings: [],
  }
}

/** A request with what it said on the way. */
async function request(system: InstalledSystem, options: MachineOptions = {}) {
  const events: ProgressEvent[] = []
  const onProgress = (event: ProgressEvent): void => {
    events.push(event)
  }
  const asked = await requestDisk(system, { ...options, seed: 'test', onProgress })
  const messages = events.map((event) => ('message' in event ? event.message : ''))
  const root = asked.outline.mounts.find(({ path }) => path === '/')
  return { ...asked, messages, root }
}

function blueprint(customizations: Blueprint['customizations']): { blueprint: Blueprint } {
  return { blueprint: { customizations } }
}

const filesystem = [{ mountpoint: '/var/data', minsize: 1024 ** 3 }]

describe('the root filesystem', () => {
  const table = (type: string): string =>
    `partition_table: {type: gpt, partitions: [{size: 3 GiB, payload_type: filesystem, payload: {type: ${type}, mountpoint: /}}]}`

  it('is the choice of the user, the image, its table, then ext4', async () => {
    expect((await request(image())).root?.type).toBe('ext4')
    expect((await request(image({}, { rootFilesystem: 'xfs' }))).root?.type).toBe('xfs')
    expect((await request(image({}, { rootFilesystem: 'xfs' }), { rootfs: 'btrfs' })).root?.type).toBe(
      'btrfs',
    )
    const { root, messages } = await request(image({ [NEW]: table('xfs') }))
    expect(root?.type).toBe('xfs')
    expect(messages).toEqual([`The image brings its own configuration of the disk, /${NEW}.`])
  })

  it('that nobody names is told', async () => {
    expect((await request(image())).messages).toEqual([
      'The image names no root filesystem, so it gets ext4 (--rootfs chooses another).',
    ])
  })

  it('that a table has is told to who wants another', async () => {
    const { root, messages } = await request(image({ [NEW]: table('xfs') }), { rootfs: 'btrfs' })
    expect(root?.type).toBe('xfs')
    expect(messages).toContain('btrfs was asked for as the root filesystem, but the partition table says xfs')
  })

  it('is refused where nothing writes it', async () => {
    const failure = request(image({}, { rootFilesystem: 'zfs' }))
    await expect(failure).rejects.toMatchObject({ code: 'DISK_OPTIONS_INVALID' })
    await expect(failure).rejects.toThrow('zfs')
  })
})

describe('what an image brings along', () => {
  const config = '[[customizations.filesystem]]\nmountpoint = "/var/image"\nminsize = "1 GiB"\n'
  const paths = async (system: InstalledSystem, options?: MachineOptions): Promise<string[]> =>
    (await request(system, options)).outline.mounts.map(({ path }) => path)

  it('counts where the user says neither filesystem nor disk', async () => {
    const system = image({ [CONFIG]: config })
    expect(await paths(system)).toContain('/var/image')
    expect(await paths(system, blueprint({ user: [{ name: 'a' }] }))).toContain('/var/image')
    const own = await paths(system, blueprint({ filesystem }))
    expect(own).toContain('/var/data')
    expect(own).not.toContain('/var/image')
    const disk: DiskCustomization = { partitions: [] }
    expect(await paths(system, blueprint({ disk }))).not.toContain('/var/image')
  })

  it('is a table, to which the user adds', async () => {
    const yaml = `
mount_configuration: none
partition_table:
  type: gpt
  partitions:
    - {size: 1 MiB, type: 21686148-6449-6E6F-744E-656564454649}
    - {size: 4 GiB, payload_type: btrfs, payload: {subvolumes: [{name: os, mountpoint: /}, {name: v, mountpoint: /var}]}}
`
    const { mountStyle, root, outline } = await request(image({ [NEW]: yaml }))
    expect(mountStyle).toBe('none')
    expect(root).toMatchObject({ type: 'btrfs', options: expect.stringContaining('subvol=os') })
    expect(outline.mounts.map(({ path }) => path)).toEqual(['/', '/var'])
    const disk: DiskCustomization = {
      partitions: [{ fs_type: 'xfs', mountpoint: '/', minsize: 3 * 1024 ** 3 }],
    }
    expect((await request(image({ [NEW]: yaml }), blueprint({ disk }))).root?.type).toBe('xfs')
  })

  it('is refused with the file and the place', async () => {
    await expect(request(image({ [NEW]: 'x: 1\n' }))).rejects.toThrow(
      `/${NEW} of the image:1:1: x is not a key of disk.yaml`,
    )
  })
})

describe('passphrases', () => {
  const disk = (passphrase?: string): { blueprint: Blueprint } =>
    blueprint({
      disk: {
        partitions: [
          { fs_type: 'ext4', mountpoint: '/boot', minsize: 1024 ** 3 },
          {
            fs_type: 'ext4',
            mountpoint: '/',
            minsize: 3 * 1024 ** 3,
            encryption: { ...(passphrase !== undefined && { passphrase }) },
          },
          { fs_type: 'swap', minsize: 1024 ** 3, encryption: { passphrase: 'of the swap' } },
        ],
      },
    })
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

  it('come from the blueprint, and all from the option where there is one', async () => {
    const { secrets, outline } = await request(image(), disk('of the root'))
    expect(outline.encrypted).toHaveLength(2)
    expect([...secrets.values()].map(text).sort()).toEqual(['of the root', 'of the swap'])
    const given = await request(image(), { ...disk(), luksPassphrase: 'given' })
    expect([...given.secrets.values()].map(text)).toEqual(['given', 'given'])
    const bytes = await request(image(), { ...disk(), luksPassphrase: Uint8Array.of(0xff, 0) })
    expect([...bytes.secrets.values()]).toEqual([Uint8Array.of(0xff, 0), Uint8Array.of(0xff, 0)])
  })

  it('that are missing are an error before anything else', async () => {
    for (const options of [disk(), { ...disk(), luksPassphrase: '' }]) {
      await expect(request(image(), options)).rejects.toMatchObject({
        code: 'PASSPHRASE_MISSING',
        message: 'nobody gave a passphrase for an encrypted volume',
        details: { volumes: [expect.stringMatching(/^[0-9a-f-]{36}$/)] },
        hint: expect.stringContaining('--luks-passphrase-file'),
      })
    }
  })

  it('stand in no error and no event', async () => {
    const secret = 'correct horse battery'
    const wrong = blueprint({
      disk: {
        partitions: [
          { fs_type: 'ext4', mountpoint: '/', minsize: 1024, encryption: { passphrase: secret } },
          { fs_type: 'ext4', mountpoint: '/', minsize: 1024, encryption: { passphrase: secret } },
        ],
      },
    })
    const events: ProgressEvent[] = []
    const error = await requestDisk(image(), {
      ...wrong,
      seed: 'test',
      onProgress: (event) => events.push(event),
    }).catch((reason: unknown) => reason)
    expect(BootableError.is(error, 'DISK_OPTIONS_INVALID')).toBe(true)
    const { message, details, hint, stack } = error as BootableError
    expect(JSON.stringify([message, details, hint, stack, events])).not.toContain(secret)
  })
})
