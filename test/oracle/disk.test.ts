import { join } from 'node:path'
import { GiB, MiB, seededUuid } from '@bootable/bytes'
import { createFileDevice, openFileSource } from '@bootable/bytes/node'
import {
  type DiskPlan,
  type GptReadResult,
  mountsOf,
  PARTITION_TYPES,
  type PartitionTable,
  type PlanDiskOptions,
  type PlannedSystem,
  planDisk,
  readGpt,
  writeDisk,
  writeGpt,
} from '@bootable/disk'
import { createFile, createSymlink, createTree, ensureDirectory, putInode } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import {
  canLoopMount,
  e2fsck,
  fsckFat,
  oracle,
  run,
  runOk,
  sgdiskVerify,
  temporaryFolder,
} from '../../tooling/oracles.ts'

interface SfdiskPartition {
  readonly type: string
  readonly uuid: string
  readonly name?: string
  readonly attrs?: string
  readonly start: number
  readonly size: number
}

interface SfdiskTable {
  readonly partitiontable: {
    readonly label: string
    readonly id: string
    readonly firstlba: number
    readonly lastlba: number
    readonly sectorsize: number
    readonly partitions: readonly SfdiskPartition[]
  }
}

function smallSystem(architecture: PlannedSystem['architecture'] = 'x86_64'): PlannedSystem {
  const sysroot = createTree({ mtime: { seconds: 1_700_000_000, nanoseconds: 0 } })
  for (const name of ['bin', 'etc', 'lib', 'share/doc']) {
    for (let index = 0; index < 30; index++)
      putInode(sysroot, `usr/${name}/file ${index}`, createFile('x'.repeat(index * 997)))
  }
  putInode(sysroot, 'bin', createSymlink('usr/bin'))
  ensureDirectory(sysroot, 'var/log')
  putInode(sysroot, 'boot/vmlinuz', createFile(new Uint8Array(3 * MiB).fill(7)))
  putInode(sysroot, 'boot/efi/EFI/BOOT/BOOTX64.EFI', createFile(new Uint8Array(MiB).fill(9)))
  return { architecture, layout: 'plain', sysroot }
}

const folder = temporaryFolder()

async function writtenDisk(
  name: string,
  options: Partial<PlanDiskOptions> = {},
): Promise<[DiskPlan, string]> {
  const system = smallSystem()
  const plan = planDisk(system, { seed: 'oracle', ...options })
  const path = join(folder, name)
  const device = await createFileDevice(path, { size: plan.size })
  await writeDisk(plan, system, device)
  await device.close()
  return [plan, path]
}

async function writtenTable(table: PartitionTable, name: string): Promise<string> {
  const path = join(folder, name)
  const device = await createFileDevice(path, { size: table.size })
  await writeGpt(table, device)
  await device.close()
  return path
}

async function readTable(path: string): Promise<GptReadResult> {
  const file = await openFileSource(path)
  try {
    return await readGpt(file)
  } finally {
    await file.close()
  }
}

const TABLE: PartitionTable = {
  uuid: seededUuid('oracle', 'disk'),
  size: 300 * MiB,
  sectorSize: 512,
  partitions: [
    { type: PARTITION_TYPES.biosBoot, start: MiB, size: MiB, label: 'BIOS boot', attributes: [] },
    { type: PARTITION_TYPES.esp, start: 2 * MiB, size: 101 * MiB, label: 'système 🦊', attributes: [0] },
    { type: PARTITION_TYPES.linux, start: 160 * MiB, size: 139 * MiB, label: '', attributes: [2, 59, 63] },
  ].map((partition, index) => ({ ...partition, number: index + 1, uuid: seededUuid('oracle', `${index}`) })),
}

oracle('sgdisk', () => {
  test('finds nothing in a table of ours', async () => {
    expect(await sgdiskVerify(await writtenTable(TABLE, 'sgdisk.raw'))).toEqual([])
  })

  test('finds a damaged backup, so it can', async () => {
    const path = await writtenTable(TABLE, 'damaged.raw')
    await runOk('dd', [
      'if=/dev/urandom',
      `of=${path}`,
      'bs=512',
      'count=1',
      `seek=${TABLE.size / 512 - 1}`,
      'conv=notrunc',
    ])
    expect(await sgdiskVerify(path)).not.toEqual([])
    expect((await readTable(path)).copy).toBe('primary')
  })

  test('a table of sgdisk is read', async () => {
    const path = join(folder, 'theirs.raw')
    await runOk('truncate', ['-s', '64M', path])
    const parts = ['-n', '1:2048:+1M', '-t', '1:ef02', '-n', '5:8192:+10M', '-c', '5:näme', '-A', '5:set:2']
    await runOk('sgdisk', ['-U', TABLE.uuid, ...parts, '-u', `5:${TABLE.uuid}`, path])
    const table = await readTable(path)
    expect(table).toMatchObject({ uuid: TABLE.uuid, sectorSize: 512, size: 64 * MiB, copy: 'primary' })
    expect(table.partitions).toMatchObject([
      { number: 1, type: PARTITION_TYPES.biosBoot, start: MiB, size: MiB, attributes: [] },
      { number: 5, uuid: TABLE.uuid, label: 'näme', start: 4 * MiB, size: 10 * MiB, attributes: [2] },
    ])
    await runOk('dd', ['if=/dev/zero', `of=${path}`, 'bs=512', 'count=1', 'seek=1', 'conv=notrunc'])
    expect(await readTable(path)).toEqual({ ...table, copy: 'backup' })
  })
})

oracle('sfdisk', () => {
  test('sees what was written', async () => {
    const path = await writtenTable(TABLE, 'sfdisk.raw')
    const { stdout, stderr } = await runOk('sfdisk', ['--verify', path])
    expect(`${stdout}${stderr}`).toMatch(/No errors detected/)
    const { partitiontable } = JSON.parse((await runOk('sfdisk', ['-J', path])).stdout) as SfdiskTable
    expect(partitiontable).toMatchObject({
      label: 'gpt',
      id: TABLE.uuid.toUpperCase(),
      firstlba: 2048,
      lastlba: TABLE.size / 512 - 34,
      sectorsize: 512,
    })
    const seen = partitiontable.partitions.map(({ type, uuid, name = '', attrs = '', start, size }) => [
      type.toLowerCase(),
      uuid.toLowerCase(),
      name,
      attrs,
      start * 512,
      size * 512,
    ])
    const attributes = ['', 'RequiredPartition', 'LegacyBIOSBootable GUID:59,63']
    expect(seen).toEqual(
      TABLE.partitions.map(({ type, uuid, label, start, size }, index) => [
        type,
        uuid,
        label,
        attributes[index],
        start,
        size,
      ]),
    )
  })

  test('writes the same bytes from a description of ours', async () => {
    const table = {
      ...TABLE,
      partitions: TABLE.partitions.map((partition) => ({ ...partition, attributes: [], label: '' })),
    }
    const ours = await writtenTable(table, 'ours.raw')
    const theirs = join(folder, 'their.raw')
    await runOk('truncate', ['-s', String(table.size), theirs])
    const lines = table.partitions.map(
      ({ start, size, type, uuid }) => `start=${start / 512}, size=${size / 512}, type=${type}, uuid=${uuid}`,
    )
    const input = ['label: gpt', `label-id: ${table.uuid}`, 'first-lba: 2048', ...lines, ''].join('\n')
    await runOk('sfdisk', ['--no-reread', theirs], { input })
    const { stdout, status } = await run('cmp', [ours, theirs])
    expect([stdout, status]).toEqual(['', 0])
  })

  test.runIf(canLoopMount('ext4'))('a table of sectors of 4096 bytes', async () => {
    const path = await writtenTable({ ...TABLE, sectorSize: 4096 }, '4096.raw')
    const setup = await runOk('losetup', ['--find', '--show', '--read-only', '--sector-size', '4096', path])
    const device = setup.stdout.trim()
    try {
      const { partitiontable } = JSON.parse((await runOk('sfdisk', ['-J', device])).stdout) as SfdiskTable
      expect(partitiontable).toMatchObject({
        firstlba: 256,
        lastlba: TABLE.size / 4096 - 6,
        sectorsize: 4096,
      })
      expect(partitiontable.partitions.map(({ start, size }) => [start * 4096, size * 4096])).toEqual(
        TABLE.partitions.map(({ start, size }) => [start, size]),
      )
      const { stdout, stderr } = await runOk('sfdisk', ['--verify', device])
      expect(`${stdout}${stderr}`).toMatch(/No errors detected/)
    } finally {
      await run('losetup', ['--detach', device])
    }
  })
})

oracle(['sgdisk', 'e2fsck', 'fsck.fat', 'dd'], () => {
  const disks: [name: string, options: Partial<PlanDiskOptions>][] = [
    ['default', {}],
    ['minimum', { size: 'minimum' }],
    ['exact', { size: '5 GiB', filesystems: [{ mountpoint: '/var/log', minsize: GiB }] }],
    ['sectors of 4096 bytes', { size: 'minimum', sectorSize: 4096 }],
  ]
  describe.each(disks)('a whole disk: %s', (name, options) => {
    test('the table and every filesystem are faultless', async () => {
      const [plan, path] = await writtenDisk(`${name}.raw`, options)
      // sgdisk takes files for disks of 512-byte sectors; losetup showed sfdisk the other kind above.
      if (plan.sectorSize === 512) expect(await sgdiskVerify(path)).toEqual([])
      for (const { number, start, size, content } of plan.partitions) {
        const [filesystem] = mountsOf(content)
        if (!filesystem) continue
        if (filesystem.type === 'vfat') {
          const part = join(folder, `${name}.${number}`)
          await runOk('dd', [
            `if=${path}`,
            `of=${part}`,
            'bs=1M',
            `skip=${start / MiB}`,
            `count=${size / MiB}`,
          ])
          expect(await fsckFat(part)).toEqual([])
        } else expect(await e2fsck(`${path}?offset=${start}`)).toEqual([])
        const place = ['-O', String(start), '-S', String(size)]
        const { stdout } = await run('blkid', ['-p', '-o', 'export', ...place, path])
        expect(stdout).toContain(`TYPE=${filesystem.type}\n`)
        expect(stdout).toContain(`UUID=${filesystem.uuid}\n`)
        if (filesystem.label) expect(stdout).toContain(`LABEL=${filesystem.label}\n`)
      }
    })
  })
})
