import { chmodSync, linkSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { collect, streamSource } from '@bootable/bytes'
import { digestBytes, writeLayerTar } from '@bootable/oci'
import { openDirectoryTree } from '@bootable/oci/node'
import { findFile, lookup } from '@bootable/tree'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../fixture.ts'
import { list } from '../unpack/layers.ts'

const parent = temporaryFolder()

function makeFolder(name: string): string {
  const folder = join(parent, name)
  mkdirSync(join(folder, 'etc/sub'), { recursive: true })
  writeFileSync(join(folder, 'etc/motd'), 'hello\n', { mode: 0o640 })
  chmodSync(join(folder, 'etc/motd'), 0o640)
  linkSync(join(folder, 'etc/motd'), join(folder, 'etc/sub/again'))
  symlinkSync('/etc', join(folder, 'link'))
  for (let index = 0; index < 300; index++) writeFileSync(join(folder, `many${index}`), `${index}`)
  for (const path of ['etc/motd', '.']) utimesSync(join(folder, path), 1_750_000_000.5, 1_750_000_000.5)
  return folder
}

describe('openDirectoryTree', () => {
  it('reads links as links, and what is asked for of owners and times', async () => {
    const folder = makeFolder('plain')
    const owner = { uid: 7, gid: 8 }
    const tree = await openDirectoryTree(folder, { owner, nanoseconds: true })
    const lines = (await list(tree)).filter((line) => !line.startsWith('many'))
    expect(lines).toEqual(['etc/', 'etc/motd=hello\n', 'etc/sub/', 'etc/sub/again==etc/motd', 'link->/etc'])
    expect(lookup(tree, 'etc/motd')).toMatchObject({
      mode: 0o640,
      ...owner,
      mtime: { seconds: 1_750_000_000, nanoseconds: 500_000_000 },
    })
    const whole = await openDirectoryTree(folder)
    expect(whole.root).toMatchObject({ uid: process.getuid?.(), mtime: { nanoseconds: 0 } })
    const clamped = await openDirectoryTree(folder, { latest: 1_000_000_000, nanoseconds: true })
    expect(lookup(clamped, 'many1')?.mtime).toEqual({ seconds: 1_000_000_000, nanoseconds: 0 })
  })

  it('makes the same layer of the same files, wherever they are', async () => {
    const digest = async (folder: string) => {
      const tree = await openDirectoryTree(folder, { owner: { uid: 0, gid: 0 }, latest: 1_000_000_000 })
      return digestBytes(await collect(writeLayerTar(tree), 2 ** 24))
    }
    expect(await digest(makeFolder('one'))).toBe(await digest(makeFolder('two')))
  })

  it('says so when a file is changed before it is read', async () => {
    const folder = makeFolder('changed')
    const tree = await openDirectoryTree(folder)
    writeFileSync(join(folder, 'etc/motd'), 'other\n')
    const file = findFile(tree, 'etc/motd')
    if (!file) throw new Error('not there')
    await expect(collect(streamSource(file.content), 100)).rejects.toMatchObject({
      code: 'FILE_NOT_READABLE',
      message: expect.stringContaining('etc/motd'),
    })
  })

  it('leaves sockets out, or refuses them', async () => {
    const folder = join(parent, 'socket')
    mkdirSync(folder)
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(join(folder, 's'), resolve))
    expect((await openDirectoryTree(folder)).root.entries.size).toBe(0)
    await expect(openDirectoryTree(folder, { sockets: 'error' })).rejects.toMatchObject({
      code: 'LAYER_UNREPRESENTABLE',
    })
    await new Promise((resolve) => server.close(resolve))
  })

  it('refuses what is no folder, or not there', async () => {
    const folder = makeFolder('file')
    for (const path of [join(folder, 'etc/motd'), join(folder, 'none'), join(folder, 'link')]) {
      await expect(openDirectoryTree(path)).rejects.toMatchObject({ code: 'FILE_NOT_READABLE' })
    }
  })

  it.runIf(process.platform === 'linux')('refuses a name that is not UTF-8', async () => {
    const folder = join(parent, 'bytes')
    mkdirSync(folder)
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0x61])]), 'x')
    await expect(openDirectoryTree(folder)).rejects.toMatchObject({ code: 'LAYER_UNREPRESENTABLE' })
  })
})
