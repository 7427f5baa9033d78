import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MiB, memoryDevice, readAll, sliceSource } from '@bootable/bytes'
import { createFileDevice, openFileSource } from '@bootable/bytes/node'
import {
  openLogicalVolume,
  planVolumeGroup,
  readVolumeGroup,
  type VolumeGroup,
  writeVolumeGroup,
} from '@bootable/disk/lvm'
import { writeExt4 } from '@bootable/filesystems/ext4'
import { createTree } from '@bootable/tree'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import { noiseDevice } from '../../tooling/compliance/noise.ts'
import { patternBytes } from '../../tooling/compliance/trees.ts'
import { canAskLvm, withLvm } from '../../tooling/lvm.ts'
import { e2fsck, requireTool, runOk, temporaryFolder } from '../../tooling/oracles.ts'

async function readGroup(path: string): Promise<VolumeGroup> {
  const source = await openFileSource(path)
  try {
    return await readVolumeGroup(source)
  } finally {
    await source.close()
  }
}

describe.runIf(canAskLvm())('lvm', () => {
  const folder = temporaryFolder()
  const image = join(folder, 'image')

  test('groups of ours: LVM finds no fault, shows what was planned, and goes on', async () => {
    const size = fc.integer({ min: 1, max: 40 * MiB })
    const groups = fc.sample(fc.array(size, { minLength: 0, maxLength: 7 }), { numRuns: 8, seed: 5 })
    for (const [index, sizes] of groups.entries()) {
      const volumes = sizes.map((bytes, number) => ({ name: `lv${number}.x-y_z+`, size: bytes }))
      const total = 330 * MiB + index * 1536
      const layout = planVolumeGroup({ name: `vg-0${index}`, seed: `seed ${index}`, size: total, volumes })
      const device = index % 2 === 0 ? memoryDevice(total) : noiseDevice(total)
      await writeVolumeGroup(layout, device, { time: 1_700_000_000, host: 'build-1.example' })
      await saveDevice(device, image)
      await withLvm(image, folder, async ({ device: loop, lvm, report }) => {
        expect(await lvm('pvck', loop)).toMatch(/Found text metadata area: offset=4096, size=1044480/)
        expect(await lvm('vgck', layout.name)).toBe('')
        const { physicalVolume } = layout
        expect(await report('pvs', 'pv_uuid,pv_pe_count,pe_start,dev_size')).toEqual([
          {
            pv_uuid: physicalVolume.uuid,
            pv_pe_count: `${physicalVolume.extentCount}`,
            pe_start: `${MiB}`,
            dev_size: `${total - (total % 512)}`,
          },
        ])
        expect(await report('vgs', 'vg_name,vg_uuid,vg_attr,vg_seqno,lv_count')).toEqual([
          {
            vg_name: layout.name,
            vg_uuid: layout.uuid,
            vg_attr: 'wz--n-',
            vg_seqno: '1',
            lv_count: `${volumes.length}`,
          },
        ])
        const shown = await report(
          'lvs',
          'lv_name,lv_uuid,lv_size,seg_start_pe,segtype,lv_host,seg_pe_ranges',
        )
        expect(shown).toEqual(
          layout.volumes.map(({ name, uuid, size: bytes, firstExtent, extentCount }) => ({
            lv_name: name,
            lv_uuid: uuid,
            lv_size: `${bytes}`,
            seg_start_pe: '0',
            segtype: 'linear',
            lv_host: 'build-1.example',
            seg_pe_ranges: `${loop}:${firstExtent}-${firstExtent + extentCount - 1}`,
          })),
        )
        await lvm('lvcreate', '-an', '-Zn', '-Wn', '-l2', '-n', 'more', layout.name)
        if (volumes[0]) await lvm('lvextend', '-l+1', `${layout.name}/${volumes[0].name}`)
        expect(await lvm('vgck', layout.name)).toBe('')
      })
      const changed = await readGroup(image)
      expect(changed.volumes.map(({ name }) => name).sort()).toEqual(
        [...volumes.map(({ name }) => name), 'more'].sort(),
      )
      const [first] = layout.volumes
      if (first) {
        const grown = changed.volumes.find(({ name }) => name === first.name)
        expect(grown?.size).toBe(first.size + 4 * MiB)
        expect(grown?.open().size).toBe(grown?.size)
      }
    }
  })

  test.runIf(requireTool('blkid'))(
    'blkid knows the physical volume, and a filesystem in a volume',
    async () => {
      const volumes = [{ name: 'rootlv', size: 30 * MiB }]
      const layout = planVolumeGroup({ name: 'vg00', seed: 'lab', size: 64 * MiB, volumes })
      const file = await createFileDevice(image, { size: 64 * MiB })
      await writeVolumeGroup(layout, file)
      const uuid = '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10'
      await writeExt4(createTree(), openLogicalVolume(layout, file, 'rootlv'), { uuid, time: 1_700_000_000 })
      await file.close()
      const { stdout } = await runOk('blkid', ['-p', '-o', 'export', image])
      expect(stdout).toMatch(/^TYPE=LVM2_member$/m)
      expect(stdout).toContain(`UUID=${layout.physicalVolume.uuid}`)
      const bytes = await readFile(image)
      const [root] = layout.volumes
      const inside = join(folder, 'inside')
      await writeFile(inside, bytes.subarray(root?.offset, (root?.offset ?? 0) + (root?.size ?? 0)))
      expect(await e2fsck(inside)).toEqual([])
    },
  )

  test('groups of theirs read as lvs shows them, byte by byte', async () => {
    const content = patternBytes(120 * MiB)
    await writeFile(image, content)
    await truncate(image, 120 * MiB)
    await runOk('wipefs', ['--all', image])
    const shown = await withLvm(image, folder, async ({ device: loop, lvm, report }) => {
      await lvm('pvcreate', '-ff', '-y', loop)
      await lvm('vgcreate', 'theirs', loop)
      const create = ['-an', '-Zn', '-Wn']
      await lvm('lvcreate', ...create, '-l5', '-n', 'root', 'theirs')
      await lvm('lvcreate', ...create, '-l3', '-n', 'var-lib', 'theirs')
      await lvm('lvextend', '-l+4', 'theirs/root')
      await lvm('lvcreate', ...create, '-i2', '-I64', '-l4', '--alloc', 'anywhere', '-n', 'striped', 'theirs')
      await lvm('lvcreate', ...create, '-l2', '-n', 'gone', 'theirs')
      await lvm('lvremove', '-y', 'theirs/gone')
      return {
        uuid: (await report('vgs', 'vg_uuid'))[0]?.vg_uuid,
        volumes: await report('lvs', 'lv_name,lv_uuid,lv_size'),
        segments: await report('lvs', 'lv_name,stripe_size,seg_pe_ranges'),
      }
    })
    const group = await readGroup(image)
    expect(group).toMatchObject({ name: 'theirs', uuid: shown.uuid, extentSize: 4 * MiB })
    const source = await openFileSource(image)
    const { volumes } = await readVolumeGroup(source)
    expect(volumes.map(({ name, uuid, size }) => [name, uuid, `${size}`]).sort()).toEqual(
      shown.volumes.map((row) => [row.lv_name, row.lv_uuid, row.lv_size]).sort(),
    )
    for (const volume of volumes) {
      const found = await readAll(volume.open())
      let at = 0
      for (const row of shown.segments.filter(({ lv_name: name }) => name === volume.name)) {
        // "/dev/loop0:0-4", one range a stripe.
        const ranges = (row.seg_pe_ranges ?? '').split(' ').map((text) => {
          const [first = 0, last = 0] = (text.split(':')[1] ?? '').split('-').map(Number)
          return content.subarray(MiB + first * 4 * MiB, MiB + (last + 1) * 4 * MiB)
        })
        const length = ranges.reduce((sum, range) => sum + range.length, 0)
        const stripe = Number(row.stripe_size) || length
        for (let done = 0, index = 0; done < length; done += stripe, index++) {
          const range = ranges[index % ranges.length] ?? new Uint8Array()
          const from = Math.floor(index / ranges.length) * stripe
          const part = found.subarray(at + done, at + done + stripe)
          expect(Buffer.compare(part, range.subarray(from, from + stripe))).toBe(0)
        }
        at += length
      }
      expect(at).toBe(volume.size)
      await readAll(sliceSource(volume.open(), 12_345, 70_001))
    }
    await source.close()
  })
})
