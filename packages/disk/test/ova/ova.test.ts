import { createHash } from 'node:crypto'
import {
  collect,
  equalBytes,
  FormatError,
  MiB,
  memoryDevice,
  memorySink,
  memorySource,
  readAll,
  utf8,
} from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { isOva, readOva, type WriteOvaOptions, writeOva } from '@bootable/disk/ova'
import { extract } from 'tar-stream'
import { describe, expect, it } from 'vitest'

async function makeOva(options: Partial<WriteOvaOptions> = {}) {
  const disk = memoryDevice(48 * MiB)
  await disk.write(0, utf8('boot sector'))
  await disk.write(
    33 * MiB,
    Uint8Array.from({ length: 200_000 }, (_, index) => (index * index) % 251),
  )
  const file = memorySink()
  const summary = await writeOva(disk, file, { seed: 'test', runtime: nodeRuntime, ...options })
  return { disk, file: await readAll(file.source()), summary }
}

async function unpack(file: Uint8Array): Promise<{ name: string; data: Uint8Array }[]> {
  const members: { name: string; data: Uint8Array }[] = []
  const parser = extract()
  parser.end(file)
  for await (const entry of parser) {
    members.push({ name: entry.header.name, data: await collect(entry as AsyncIterable<Uint8Array>) })
  }
  return members
}

const text = (member: { data: Uint8Array } | undefined): string => new TextDecoder().decode(member?.data)

describe('ova', () => {
  it('holds descriptor, digests and disk in this order, and the digests are right', async () => {
    const { file, summary } = await makeOva()
    expect(summary).toEqual({ size: 48 * MiB, fileSize: file.length })
    const members = await unpack(file)
    expect(members.map(({ name }) => name)).toEqual(['image.ovf', 'image.mf', 'image.vmdk'])
    const digest = (index: number): string =>
      createHash('sha256')
        .update(members[index]?.data as Uint8Array)
        .digest('hex')
    expect(text(members[1])).toBe(`SHA256(image.ovf)= ${digest(0)}\nSHA256(image.vmdk)= ${digest(2)}\n`)
    expect(text(members[0])).toContain(`ovf:size="${members[2]?.data.length}"`)
    expect(text(members[0])).toContain(`ovf:capacity="${48 * MiB}"`)
    expect(text(members[0])).toMatchSnapshot()
  })

  it('gives its disk back', async () => {
    const { disk, file } = await makeOva()
    const archive = memorySource(file)
    expect(await isOva(archive)).toBe(true)
    const inside = await readOva(archive, { runtime: nodeRuntime })
    expect(equalBytes(await readAll(inside), await readAll(disk))).toBe(true)
  })

  it('escapes what people call the machine, and takes sizes and firmware', async () => {
    const name = `<A & "B">`
    const { file } = await makeOva({ name, fileName: 'web-1', cpus: 4, memory: 2048, firmware: 'bios' })
    const members = await unpack(file)
    const ovf = text(members[0])
    expect(members.map((member) => member.name)).toEqual(['web-1.ovf', 'web-1.mf', 'web-1.vmdk'])
    expect(ovf).toContain('<Name>&lt;A &amp; &quot;B&quot;&gt;</Name>')
    expect(ovf).toContain('vmw:key="firmware" vmw:value="bios"')
    expect(ovf).toContain('<rasd:VirtualQuantity>2048</rasd:VirtualQuantity>')
    expect(ovf).not.toContain('efiSecureBoot')
    expect(ovf).not.toContain('EFI')
  })

  it('names every option that cannot be, before a byte is written', async () => {
    const writing = makeOva({ name: 'a\nb', fileName: '../x', cpus: 0, memory: 3 })
    await expect(writing).rejects.toMatchObject({ code: 'CONTAINER_OPTIONS_INVALID' })
    const error = (await writing.catch((reason: unknown) => reason)) as Error
    for (const option of ['name', 'fileName', 'cpus', 'memory']) expect(error.message).toContain(option)
  })

  it('is refused when cut, and without exactly one disk', async () => {
    const { file } = await makeOva()
    for (const length of [0, 300, 512, 5000, file.length - 20_000]) {
      const opening = readOva(memorySource(file.slice(0, length)))
      await expect(opening, `${length}`).rejects.toBeInstanceOf(FormatError)
    }
    const other = file.slice()
    const at = Buffer.from(other).lastIndexOf('image.vmdk\0')
    other.set(utf8('image.iso\0'), at)
    await expect(readOva(memorySource(other))).rejects.toBeInstanceOf(FormatError)
  })

  it('has the same bytes every time, and other ids with another seed', async () => {
    const [first, second, other] = [await makeOva(), await makeOva(), await makeOva({ seed: 'other' })]
    expect(equalBytes(first.file, second.file)).toBe(true)
    expect(equalBytes(first.file, other.file)).toBe(false)
  })
})
