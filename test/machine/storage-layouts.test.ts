import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MiB, memoryDevice } from '@bootable/bytes'
import { writeExt4 } from '@bootable/filesystems/ext4'
import { createFile, createTree, putInode } from '@bootable/tree'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import type { Converter } from '../../tooling/converter.ts'
import { type Fixture, findFixture } from '../../tooling/fixture.ts'
import { GUEST_MS, type GuestOptions } from '../../tooling/guest.ts'
import { requireTool } from '../../tooling/oracles.ts'
import {
  buildStorageMachine,
  examine,
  healthy,
  PASSWORD,
  PATIENCE,
  prepareOstreeConverter,
  withGuest,
} from '../../tooling/ostree-machine.ts'
import { requireMachine } from '../../tooling/qemu.ts'

const fixture = findFixture('trixie-storage')
const machines = requireMachine('uefi') && requireMachine('bios')
const tools = requireTool('e2fsck', 'fsck.fat', 'qemu-img', 'sgdisk', 'ssh', 'ssh-keygen', 'xfs_repair')

const PASSPHRASE = 'Zwölf Boxkämpfer, quer'

/** One seed: the kernel arguments may hold what a plan without them says. */
const ROOTFS = ['--rootfs', 'ext4', '--seed', 'storage layouts']

function customizations(partitions: readonly object[], append: string): object {
  return { disk: { partitions }, kernel: { append: `${PATIENCE} ${append}`.trim() } }
}

const VOLUMES = [
  { name: 'slash', mountpoint: '/', fs_type: 'ext4', minsize: '4 GiB' },
  { name: 'log', mountpoint: '/var/log', fs_type: 'xfs', minsize: '512 MiB' },
  { name: 'swap', fs_type: 'swap', minsize: '256 MiB' },
]
const GROUP = { type: 'lvm', name: 'system', minsize: '8 GiB', logical_volumes: VOLUMES }

/** As on every healthy machine, but that these disks leave the mount of /boot to whoever asks for one. */
const HEALTH = { ...healthy({ root: /^ext4 / }), writes: expect.stringContaining('/etc /var') }

describe.runIf(fixture && machines && tools)('ostree on a layout of one’s own', () => {
  if (!fixture) return
  let converter: Converter
  beforeAll(async () => {
    converter = await prepareOstreeConverter()
  })
  afterAll(() => converter.command.close())

  /** Builds a disk with these partitions, on which the checkers find no fault. */
  async function build(name: string, partitions: readonly object[], append = ''): Promise<string> {
    const options = { flags: [...ROOTFS, ...secret(partitions)], more: customizations(partitions, append) }
    const { disk, findings } = await buildStorageMachine(converter, fixture as Fixture, name, options)
    expect(findings).toEqual([])
    return disk
  }

  /** The uuid of the one LUKS volume that will be on such a disk. */
  async function luksUuid(partitions: readonly object[]): Promise<string> {
    const args = [...ROOTFS, ...secret(partitions), `oci-archive:${fixture?.archive}`]
    const { disk } = await converter.plan(args, customizations(partitions, ''))
    const [volume] = disk.partitions.flatMap(({ content }) =>
      content?.type === 'luks' ? [content.luks] : [],
    )
    if (!volume) throw new Error('the plan has no LUKS volume')
    return volume.uuid
  }

  /** A file with the passphrase, where something is encrypted. */
  function secret(partitions: readonly object[]): string[] {
    if (!partitions.some((partition) => 'encryption' in partition)) return []
    const file = join(converter.folder, 'passphrase')
    writeFileSync(file, `${PASSPHRASE}\n`)
    return ['--luks-passphrase-file', file]
  }

  describe.concurrent('in partitions and volumes', { timeout: GUEST_MS }, () => {
    it('has data and swap of their own', async () => {
      const disk = await build('plain', [
        { mountpoint: '/', fs_type: 'ext4', minsize: '4 GiB' },
        { mountpoint: '/var/data', fs_type: 'xfs', label: 'data', minsize: '1 GiB' },
        { fs_type: 'swap', minsize: '256 MiB' },
      ])
      await withGuest(converter, disk, async (guest) => {
        expect(await examine(guest)).toEqual(HEALTH)
        expect(
          await guest.askEach({
            data: 'findmnt -bno FSTYPE,LABEL /var/data',
            size: 'df -B1 --output=size /var/data | tail -n 1',
            swap: 'swapon --show=TYPE,SIZE --noheadings --bytes',
            use: 'touch /var/data/new && rm /var/data/new',
          }),
        ).toEqual({
          data: expect.stringMatching(/^xfs +data$/),
          size: expect.stringMatching(/^ *(9|10)\d{8}$/),
          swap: expect.stringMatching(/^partition +2684\d{5}$/),
          use: '',
        })
      })
    })

    it('has its root on a logical volume', async () => {
      const disk = await build('lvm', [GROUP])
      await withGuest(converter, disk, async (guest) => {
        expect(await examine(guest)).toEqual(HEALTH)
        expect(await guest.askEach(LVM_QUESTIONS)).toEqual({
          volumes: expect.stringMatching(/^ *log +536870912\n *slash +4294967296\n *swap +268435456$/),
          faults: '',
          slash: '/dev/mapper/system-slash',
          log: '/dev/mapper/system-log xfs',
          swap: expect.stringMatching(/^partition +2684\d{5}$/),
        })
      })
    })
  })

  describe.concurrent('in LUKS', { timeout: GUEST_MS }, () => {
    it('is opened by a passphrase typed at the console, by a BIOS', async () => {
      const disk = await build('luks', [
        { mountpoint: '/boot', fs_type: 'ext4', minsize: '1 GiB' },
        { mountpoint: '/', fs_type: 'ext4', minsize: '4 GiB', encryption: {} },
      ])
      const options: Partial<GuestOptions> = { firmware: 'bios', memory: 2048 }
      await withGuest(
        converter,
        disk,
        async (guest) => {
          await guest.machine.waitFor(/passphrase for .*:/i)
          guest.machine.send('wrong\n')
          await guest.machine.waitFor(/passphrase for .*:/i)
          guest.machine.send(`${PASSPHRASE}\n`)
          const facts =
            'lsblk -sno TYPE,FSTYPE $(findmnt -no SOURCE /sysroot); systemctl is-system-running --wait'
          const said = await guest.logIn('anna', PASSWORD, facts)
          expect(said).toMatch(/part +crypto_LUKS\s+crypt +ext4\s+running/)
        },
        options,
      )
    })

    it('is opened by a key file on another disk, a volume group within', async () => {
      const partitions = [{ ...GROUP, encryption: { pbkdf: 'pbkdf2' } }]
      const uuid = await luksUuid(partitions)
      const disk = await build('luks-lvm', partitions, `rd.luks.key=${uuid}=/key:LABEL=keys`)
      const keys = join(converter.folder, 'keys.img')
      await saveDevice(await keyDisk(), keys)
      const drive = `if=none,id=keys,format=raw,readonly=on,file=${keys}`
      const options = { args: ['-drive', drive, '-device', 'virtio-blk-pci,drive=keys'] }
      await withGuest(
        converter,
        disk,
        async (guest) => {
          expect(await examine(guest)).toEqual(HEALTH)
          expect(await guest.askEach(LVM_QUESTIONS)).toMatchObject({
            faults: '',
            log: '/dev/mapper/system-log xfs',
          })
          const devices = 'lsblk -sno TYPE $(findmnt -no SOURCE /sysroot)'
          expect(await guest.ask(devices)).toBe('disk\npart\ncrypt\nlvm')
        },
        options,
      )
    })
  })
})

const LVM_QUESTIONS = {
  volumes: 'lvs --noheadings --units b --nosuffix -o lv_name,lv_size system',
  faults: 'vgck system 2>&1',
  slash: 'findmnt -no SOURCE /sysroot',
  log: 'findmnt -no SOURCE,FSTYPE /var/log',
  swap: 'swapon --show=TYPE,SIZE --noheadings --bytes',
}

/** A small filesystem with the passphrase in a file. */
async function keyDisk(): Promise<ReturnType<typeof memoryDevice>> {
  const tree = createTree()
  putInode(tree, 'key', createFile(PASSPHRASE, { mode: 0o400 }))
  const device = memoryDevice(16 * MiB)
  await writeExt4(tree, device, { uuid: '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10', label: 'keys' })
  return device
}
