import { GiB, MiB } from '@bootable/bytes'
import { describePlan, drawPlan, planDisk } from '@bootable/disk'
import { createTree } from '@bootable/tree'
import { describe, expect, test } from 'vitest'

const plan = (label: string) =>
  planDisk(
    { architecture: 'x86_64', layout: 'plain', sysroot: createTree() },
    {
      seed: 'a seed',
      disk: {
        partitions: [
          { fs_type: 'swap', minsize: GiB },
          {
            type: 'lvm',
            minsize: 20 * GiB,
            encryption: {},
            logical_volumes: [
              { fs_type: 'ext4', mountpoint: '/', minsize: 4 * GiB },
              { fs_type: 'xfs', mountpoint: '/var/data', minsize: 8 * GiB, label },
              { fs_type: 'none', minsize: MiB },
            ],
          },
        ],
      },
    },
  )

/** Rectangles of a picture: left, top, width, height. */
function boxes(svg: string): number[][] {
  const pattern = /<rect x="([\d.-]+)" y="([\d.-]+)" width="([\d.-]+)" height="([\d.-]+)" rx="4"/g
  return [...svg.matchAll(pattern)].map((match) => match.slice(1).map(Number))
}

describe('drawPlan', () => {
  test('is a picture with a title and a description that say everything', () => {
    const svg = drawPlan(plan('data'))
    expect(svg).toMatch(
      /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" [^>]*role="img" aria-labelledby="title desc"/,
    )
    expect(svg).toContain('<title id="title">Disk of 22.5 GiB, GPT, 5 partitions</title>')
    const [, description = ''] = /<desc id="desc">(.*)<\/desc>/.exec(svg) ?? []
    expect(description).toContain('Partition 1, bios: 1 MiB, BIOS boot.')
    expect(description).toContain('Partition 5, vg00: 20')
    expect(description).toContain('encrypted with LUKS2.')
    expect(description).toContain('rootlv: 4 GiB, ext4 at /.')
    expect(description).toContain('var_datalv: 8 GiB, xfs at /var/data, label data.')
    expect(svg).not.toMatch(/<script|<style|href=|url\(|@font-face/)
  })

  test('nothing that a label says is taken for a picture', () => {
    const svg = drawPlan(plan(`<a&"'>`))
    expect(svg).toContain('label &lt;a&amp;&quot;&apos;&gt;')
    expect(svg).not.toContain('<a&')
    const { partitions, ...rest } = plan('x')
    const named = {
      ...rest,
      partitions: partitions.map((partition) => ({ ...partition, name: 'a\u0000b\ud800c' })),
    }
    expect(drawPlan(named)).toContain('a\ufffdb\ufffdc')
  })

  test('every box is inside of the picture, wide enough to be seen, and inside of what holds it', () => {
    const drawn = boxes(drawPlan(plan('data')))
    expect(drawn).toHaveLength(9)
    for (const [left = 0, top = 0, width = 0, height = 0] of drawn) {
      expect(width).toBeGreaterThan(4)
      expect(left).toBeGreaterThanOrEqual(24)
      expect(left + width).toBeLessThanOrEqual(960 - 24)
      expect(top + height).toBeLessThanOrEqual(64 + 96)
    }
    const [outer = [], inner = []] = drawn.slice(4)
    expect(inner[0]).toBeGreaterThan(outer[0] as number)
    expect((inner[0] as number) + (inner[2] as number)).toBeLessThan(
      (outer[0] as number) + (outer[2] as number),
    )
  })

  test('has room for every partition that a table can have', () => {
    const partitions = Array.from({ length: 126 }, (_, index) => ({
      ...({ fs_type: 'ext4', mountpoint: index === 0 ? '/' : `/var/${index}`, minsize: MiB } as const),
    }))
    const many = planDisk(
      { architecture: 'x86_64', layout: 'plain', sysroot: createTree() },
      { seed: '', disk: { partitions } },
    )
    const drawn = boxes(drawPlan(many))
    expect(drawn).toHaveLength(128)
    for (const [index, [left = 0, , width = 0]] of drawn.entries()) {
      expect(left + width).toBeLessThanOrEqual(drawn[index + 1]?.[0] ?? 960 - 24)
    }
  })
})

test('describePlan has volumes inside of what holds them', () => {
  const row = describePlan(plan('data')).at(-1)
  expect(row).toMatchObject({ number: 5, name: 'vg00', filesystem: 'luks', mountpoint: '' })
  const [opened] = row?.inside ?? []
  expect(opened).toMatchObject({ name: `luks-${row?.uuid}`, filesystem: 'lvm', label: 'vg00' })
  expect(opened?.size).toBe((row?.size ?? 0) - 16 * MiB)
  expect(
    opened?.inside.map(({ name, size, filesystem, mountpoint }) => [name, size, filesystem, mountpoint]),
  ).toEqual([
    ['rootlv', 4 * GiB, 'ext4', '/'],
    ['var_datalv', 8 * GiB, 'xfs', '/var/data'],
    ['datalv', 4 * MiB, '', ''],
  ])
})
