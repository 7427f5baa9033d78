import {
  type BlockDevice,
  type ByteRange,
  type ByteSource,
  MiB,
  portableRuntime,
  readAll,
  toHex,
} from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  type BuildDiskOptions,
  buildDisk,
  type DiskOutput,
  type Image,
  inspectDisk,
  type Machine,
  memoryOutput,
  openImage,
  type PendingOutput,
  prepareMachine,
  writeOutputs,
} from '@bootable/core'
import { mountsOf } from '@bootable/disk'
import { readQcow2 } from '@bootable/disk/qcow2'
import { findFile, lookup } from '@bootable/tree'
import { beforeAll, describe, expect, it } from 'vitest'
import { createSampleImage, SAMPLE_REFERENCE } from '../../../../tooling/sample/sample-image.ts'

const runtime = nodeRuntime
let image: Image
let machine: Machine
beforeAll(async () => {
  image = await openImage(await createSampleImage(), SAMPLE_REFERENCE)
  machine = await prepareMachine(image, { size: 'minimum', runtime })
})

async function digest(device: BlockDevice): Promise<string> {
  const bytes = await readAll(device, device.size)
  return toHex(runtime.createHash('sha256').update(bytes).digest())
}

/** Writes down what happens to an output, and fails where it is told to. */
function watchedOutput(
  type: DiskOutput['type'],
  log: string[],
  failure?: 'create' | 'write' | 'commit' | 'discard',
): DiskOutput {
  const inner = memoryOutput(type)
  const fail = (): never => {
    throw new Error(`${type} cannot ${failure}`)
  }
  return {
    type,
    async create(): Promise<PendingOutput> {
      if (failure === 'create') fail()
      const pending = await inner.create()
      log.push(`create ${type}`)
      return {
        device: failure === 'write' ? { ...pending.device, write: async () => fail() } : pending.device,
        async commit() {
          if (failure === 'commit') fail()
          log.push(`commit ${type}`)
        },
        async discard() {
          log.push(`discard ${type}`)
          if (failure === 'discard') fail()
        },
      }
    },
  }
}

describe('buildDisk', () => {
  const build = async (options: Partial<BuildDiskOptions> = {}): Promise<[raw: string, qcow2: string]> => {
    const outputs = [memoryOutput('raw'), memoryOutput('qcow2')] as const
    await buildDisk({ image, size: 'minimum', runtime, ...options, outputs })
    return [await digest(outputs[0].device()), await digest(outputs[1].device())]
  }

  it('gives the same bytes twice, and others for another seed or clock', async () => {
    const first = await build()
    expect(await build()).toEqual(first)
    const [seeded, clocked] = [await build({ seed: 'another' }), await build({ clock: 1 })]
    expect(new Set([first[0], seeded[0], clocked[0]]).size).toBe(3)
  })

  it('gives both runtimes the same raw disk', async () => {
    expect((await build({ runtime: portableRuntime }))[0]).toBe((await build())[0])
  })
})

describe('prepareMachine', () => {
  it('plans the same disk every time, in JSON that is the plan', async () => {
    const again = await prepareMachine(image, { size: 'minimum', runtime })
    expect(JSON.stringify(again.plan)).toBe(JSON.stringify(machine.plan))
    expect(JSON.parse(JSON.stringify(machine.plan))).toEqual(machine.plan)
  })

  it('says why the sample gets the plain layout, and which boot loader it chose', async () => {
    const notes: string[] = []
    await prepareMachine(image, {
      runtime,
      onProgress: (event) => event.type === 'note' && notes.push(event.message),
    })
    expect(notes).toEqual([
      'The image has no ostree in it (/usr/lib/ostree/ostree-prepare-root is missing), so it gets the plain layout and does not update itself.',
      machine.bootloader.reason,
    ])
  })

  it.each([-1, 1.5, Number.NaN])('refuses the clock %d', async (clock) => {
    await expect(prepareMachine(image, { clock, runtime })).rejects.toMatchObject({ code: 'CLOCK_INVALID' })
  })

  it('plans the partition table of a blueprint', async () => {
    const disk = {
      partitions: [
        { fs_type: 'ext4', mountpoint: '/var/data', minsize: 64 * MiB },
        { fs_type: 'swap', minsize: 16 * MiB },
      ],
    } as const
    const custom = await prepareMachine(image, { blueprint: { customizations: { disk } }, runtime })
    expect(custom.plan.partitions.map(({ name }) => name)).toEqual([
      'bios',
      'esp',
      'var-data',
      'swap',
      'root',
    ])
    expect(custom.mounts.map(({ path }) => path)).toEqual(['/', '/boot/efi', '/var/data', 'none'])
    expect(lookup(custom.system.sysroot, 'var/data/lost+found')).toMatchObject({ mode: 0o700 })
    const fstab = findFile(custom.system.root, 'etc/fstab')?.content as ByteSource
    const lines = new TextDecoder()
      .decode(await readAll(fstab))
      .trimEnd()
      .split('\n')
    expect(lines.map((line) => line.split('\t').slice(1, 3).join(' ')).sort()).toEqual([
      '/ ext4',
      '/boot/efi vfat',
      '/var/data ext4',
      'none swap',
    ])
  })

  it("refuses a mount point that is the system's own", async () => {
    const disk = { partitions: [{ fs_type: 'ext4', mountpoint: '/etc', minsize: 1 }] } as const
    await expect(
      prepareMachine(image, { blueprint: { customizations: { disk } }, runtime }),
    ).rejects.toMatchObject({ code: 'DISK_OPTIONS_INVALID' })
  })
})

describe('writeOutputs', () => {
  it('gives every output the same disk, and keeps its holes', async () => {
    const [raw, ami, qcow2] = [memoryOutput('raw'), memoryOutput('ami'), memoryOutput('qcow2')]
    await writeOutputs(machine, [qcow2, raw, ami], { runtime })
    expect(await digest(ami.device())).toBe(await digest(raw.device()))
    const back = await readQcow2(qcow2.device(), { runtime })
    expect(back.size).toBe(machine.plan.size)
    const disk = { ...back, write: raw.device().write }
    expect(await digest(disk)).toBe(await digest(raw.device()))

    for (const { device } of [raw, ami]) expect(await dataLength(device())).toBeLessThan(40 * MiB)
    expect(machine.plan.size).toBeGreaterThan(60 * MiB)
    expect(qcow2.device().size).toBeLessThan(8 * MiB)
  })

  it('writes a disk that says what was planned', async () => {
    const output = memoryOutput('qcow2')
    await writeOutputs(machine, [output], { runtime })
    const report = await inspectDisk(output.device(), { runtime })
    expect(report).toMatchObject({ format: 'qcow2', size: machine.plan.size, uuid: machine.plan.uuid })
    expect(report.partitions.map(({ uuid, filesystem }) => [uuid, filesystem?.uuid])).toEqual(
      machine.plan.partitions.map(({ uuid, content }) => [uuid, mountsOf(content)[0]?.uuid]),
    )
    expect(report.boot?.efi).toContainEqual({ path: 'EFI/BOOT/BOOTX64.EFI', isSigned: false })
    expect(report.boot?.bios).toBeUndefined()
    expect(report.system?.kernels).toEqual([machine.system.kernel.version])
    expect(report.system?.bootEntries[0]?.options).toBe(machine.commandLine.join(' '))
  })

  it('throws the scratch disk away', async () => {
    const log: string[] = []
    const scratch = () => watchedOutput('raw', log).create()
    await writeOutputs(machine, [watchedOutput('qcow2', log)], { runtime, scratch })
    expect(log).toEqual(['create raw', 'create qcow2', 'commit qcow2', 'discard raw'])
  })

  it.each(['create', 'write', 'commit'] as const)(
    'leaves nothing when the second cannot %s',
    async (failure) => {
      const log: string[] = []
      const outputs = [watchedOutput('raw', log), watchedOutput('qcow2', log, failure)]
      await expect(writeOutputs(machine, outputs, { runtime })).rejects.toThrow(`qcow2 cannot ${failure}`)
      const made = log.filter((line) => line.startsWith('create')).map((line) => line.slice('create '.length))
      expect(made).toContain('raw')
      expect(log.filter((line) => line.startsWith('discard')).sort()).toEqual(
        made.map((type) => `discard ${type}`).sort(),
      )
      expect(log.lastIndexOf('commit raw')).toBeLessThan(log.indexOf('discard raw'))
    },
  )

  it('tells the first failure, not that of cleaning up', async () => {
    const log: string[] = []
    const outputs = [watchedOutput('raw', log, 'discard'), watchedOutput('qcow2', log, 'write')]
    await expect(writeOutputs(machine, outputs, { runtime })).rejects.toThrow('qcow2 cannot write')
  })

  it('discards everything when it is cancelled, at whatever event', async () => {
    const count = await runUntil(Number.POSITIVE_INFINITY)
    expect(count).toBeGreaterThan(5)
    for (let stop = 1; stop <= count; stop++) await runUntil(stop)
  })

  /** Cancels at the event of that number; answers with the number of events. */
  async function runUntil(stop: number): Promise<number> {
    const log: string[] = []
    const controller = new AbortController()
    const reason = new Error('enough')
    let events = 0
    const onProgress = (): void => {
      if (++events === stop) controller.abort(reason)
    }
    const outputs = [watchedOutput('raw', log), watchedOutput('qcow2', log)]
    const attempt = writeOutputs(machine, outputs, { runtime, signal: controller.signal, onProgress })
    if (stop === Number.POSITIVE_INFINITY) {
      await attempt
      return events
    }
    await expect(attempt, `event ${stop}`).rejects.toBe(reason)
    expect(log.filter((line) => line.startsWith('commit'))).toEqual([])
    expect(log.filter((line) => line.startsWith('discard')).length).toBe(
      log.filter((line) => line.startsWith('create')).length,
    )
    return events
  }
})

async function dataLength(device: { dataRanges(): AsyncIterable<ByteRange> }): Promise<number> {
  let sum = 0
  for await (const { length } of device.dataRanges()) sum += length
  return sum
}

describe('memoryOutput', () => {
  it('has nothing before a build has succeeded', () => {
    expect(() => memoryOutput('raw').device()).toThrow(expect.objectContaining({ code: 'OUTPUT_MISSING' }))
  })
})
