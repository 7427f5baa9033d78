import type { ProgressEvent } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { chooseLayout, type Image, type MachineOptions, openImage, prepareMachine } from '@bootable/core'
import { memoryStore, putImage, writeLayerTar } from '@bootable/oci'
import { createFile, createTree, findFile, putInode } from '@bootable/tree'
import { describe, expect, it } from 'vitest'
import { MINIMAL_MACHINE } from '../../../../tooling/images.ts'

const PREPARE_ROOT = 'usr/lib/ostree/ostree-prepare-root'
const TARGET = 'quay.io/example/os:latest'

async function imageWith(names: readonly string[], labels: Record<string, string> = {}): Promise<Image> {
  const tree = createTree()
  for (const { name, data = '' } of MINIMAL_MACHINE) putInode(tree, String(name), createFile(data))
  for (const name of names) putInode(tree, name, createFile('x'))
  const store = memoryStore({ name: 'test' })
  const layers = [() => writeLayerTar(tree)]
  await putImage(store, { layers, config: { Labels: labels } }, { reference: 'latest', runtime: nodeRuntime })
  return openImage(store, 'latest')
}

const BOOTC = { 'containers.bootc': '1' }

describe('chooseLayout', () => {
  it.each<[what: string, names: string[], labels: Record<string, string>, layout: string]>([
    ['ostree and a label', [PREPARE_ROOT], BOOTC, 'ostree'],
    ['ostree and the other label', [PREPARE_ROOT], { 'ostree.bootable': 'true' }, 'ostree'],
    ['ostree without a label', [PREPARE_ROOT], {}, 'plain'],
    ['a label without ostree', [], BOOTC, 'plain'],
    ['a unified kernel image', [PREPARE_ROOT, 'boot/EFI/Linux/a.efi'], BOOTC, 'plain'],
  ])('%s', async (_, names, labels, layout) => {
    expect((await chooseLayout(await imageWith(names, labels))).layout).toBe(layout)
  })

  it('says what is missing', async () => {
    const image = await imageWith([], BOOTC)
    expect((await chooseLayout(image)).problem).toContain(`/${PREPARE_ROOT} is missing`)
    expect((await chooseLayout(image, { layout: 'ostree' })).problem).toContain('will not find its root')
    expect(await chooseLayout(image, { layout: 'plain' })).toEqual({ layout: 'plain' })
    expect(await chooseLayout(await imageWith([PREPARE_ROOT], BOOTC))).toEqual({ layout: 'ostree' })
  })
})

describe('prepareMachine', () => {
  const options: MachineOptions = { bootloader: 'none', size: 'minimum', runtime: nodeRuntime }

  it('deploys with ostree what has ostree', async () => {
    const image = await imageWith([PREPARE_ROOT], BOOTC)
    const machine = await prepareMachine(image, { ...options, targetReference: TARGET, stateroot: 'os' })
    expect(machine.system.deployment).toMatchObject({
      stateroot: 'os',
      reference: `ostree-unverified-registry:${TARGET}`,
    })
    const [root, boot] = ['/', '/boot'].map(
      (path) => machine.mounts.find((mount) => mount.path === path)?.uuid,
    )
    expect(machine.commandLine).toEqual([
      `root=UUID=${root}`,
      'rw',
      `boot=UUID=${boot}`,
      'console=tty0',
      'console=ttyS0',
      ...(machine.system.bootEntry?.arguments ?? []),
    ])
    expect(findFile(machine.system.root, 'etc/systemd/system/boot.mount')).toBeDefined()
  })

  it('wants to know where such a machine updates from', async () => {
    await expect(prepareMachine(await imageWith([PREPARE_ROOT], BOOTC), options)).rejects.toMatchObject({
      code: 'TARGET_REFERENCE_MISSING',
    })
    await expect(
      prepareMachine(await imageWith([PREPARE_ROOT], BOOTC), { ...options, layout: 'plain' }),
    ).resolves.toMatchObject({ system: { layout: 'plain' } })
  })

  it('warns of a target that is a file', async () => {
    const image = await imageWith([PREPARE_ROOT], BOOTC)
    const { system } = await prepareMachine(image, { ...options, targetReference: 'oci-archive:os.tar' })
    expect(system.warnings).toEqual([
      expect.objectContaining({ message: expect.stringContaining('oci-archive:os.tar') }),
    ])
  })

  it('warns where ostree was asked for and is not there, and tells of each layer once', async () => {
    const events: ProgressEvent[] = []
    const onProgress = (event: ProgressEvent): void => {
      events.push(event)
    }
    const image = await imageWith([], BOOTC)
    await prepareMachine(image, { ...options, layout: 'ostree', targetReference: TARGET, onProgress })
    expect(events.filter(({ type }) => type === 'warning')).toEqual([
      { type: 'warning', message: expect.stringContaining(PREPARE_ROOT) },
    ])
    expect(events.filter(({ type }) => type === 'skip')).toEqual([])
  })
})
