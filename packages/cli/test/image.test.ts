import { mkdtempSync, rmSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDockerArchive, openLayout, openOciArchive } from '@bootable/oci/node'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { MINIMAL_MACHINE, tarOf, writeLayout } from '../../../tooling/images.ts'
import { EXIT, main } from '../src/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'bootable-image-'))
const at = (name: string): string => join(folder, name)
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => vi.restoreAllMocks())
beforeAll(() => writeLayout(at('image'), { layers: [{ tar: tarOf(MINIMAL_MACHINE) }] }))

/** Runs `bootable image …` and answers with its status and what it printed. */
async function run(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      said[name] += typeof text === 'string' ? text : Buffer.from(text).toString()
      return true
    })
  }
  const status = await main(['image', ...args])
  vi.restoreAllMocks()
  return { status, ...said }
}

describe('bootable image copy', () => {
  it('goes to an archive, a layout and a docker-archive, with the same digest', async () => {
    const source = await openLayout(at('image'))
    const { digest } = await source.resolve('')
    expect(await run('copy', `oci:${at('image')}`, `oci-archive:${at('a.tar')}:first`)).toMatchObject({
      status: EXIT.success,
      stdout: `oci-archive:${at('a.tar')}:first\t${digest}\n`,
    })
    expect((await (await openOciArchive(at('a.tar'))).resolve('first')).digest).toBe(digest)

    expect(await run('copy', at('a.tar'), `oci:${at('layout')}:second`)).toMatchObject({
      status: EXIT.success,
    })
    expect((await (await openLayout(at('layout'))).resolve('second')).digest).toBe(digest)

    const docker = `docker-archive:${at('d.tar')}:lab/machine:1`
    expect(await run('copy', `oci:${at('layout')}:second`, docker)).toMatchObject({ status: EXIT.success })
    const archive = await openDockerArchive(at('d.tar'))
    expect(await archive.resolve('lab/machine:1')).toBeDefined()
    await archive.close?.()
  })

  it('says what would move, and makes nothing', async () => {
    const { status, stdout } = await run('copy', '--dry-run', `oci:${at('image')}`, `oci:${at('dry')}:x`)
    expect(status).toBe(EXIT.success)
    expect(stdout).toMatch(/^to move +[1-9]\d* B$/m)
    expect(stdout.match(/^copy /gm)).toHaveLength(3)
    await expect(stat(at('dry'))).rejects.toThrow()

    await run('copy', `oci:${at('image')}`, `oci:${at('wet')}:x`)
    const again = await run('copy', '--dry-run', `oci:${at('image')}`, `oci:${at('wet')}:x`)
    expect(again.stdout).toMatch(/^to move +0 B$/m)
    expect(again.stdout.match(/^present /gm)).toHaveLength(3)
  })

  it('says as JSON what it did', async () => {
    const { stdout } = await run(
      ...['copy', '--progress', 'json', `oci:${at('image')}`, `oci-archive:${at('j.tar')}`],
    )
    const last = JSON.parse(stdout.trimEnd().split('\n').at(-1) as string)
    expect(last).toMatchObject({ type: 'result', target: `oci-archive:${at('j.tar')}`, descriptor: {} })
  })

  it('leaves nothing where the source is not what it says, and keeps what was there', async () => {
    await run('copy', `oci:${at('image')}`, `oci-archive:${at('kept.tar')}`)
    const before = await readFile(at('kept.tar'))
    const { status, stderr } = await run('copy', `oci:${at('image')}:nobody`, `oci-archive:${at('kept.tar')}`)
    expect(status).toBe(EXIT.failure)
    expect(stderr).toContain('does not hold "nobody"')
    expect(await readFile(at('kept.tar'))).toEqual(before)

    expect(await run('copy', `oci:${at('image')}:nobody`, `oci:${at('never')}`)).toMatchObject({
      status: EXIT.failure,
    })
    await expect(stat(at('never'))).rejects.toThrow()
  })

  it('takes the image for a platform, or says which there are', async () => {
    const { status, stderr } = await run(
      ...['copy', '--platform', 'linux/s390x', `oci:${at('image')}`, `oci-archive:${at('p.tar')}`],
    )
    expect(status).toBe(EXIT.failure)
    expect(stderr).toContain('linux/amd64')
  })
})

describe('bootable image inspect and tags', () => {
  it('shows an image without reading its layers', async () => {
    const { status, stdout } = await run('inspect', `oci:${at('image')}`)
    expect(status).toBe(EXIT.success)
    expect(stdout).toMatch(/^image +sha256:[0-9a-f]{64}$/m)
    expect(stdout).toMatch(/^platform +linux\/amd64$/m)
    expect(JSON.parse((await run('inspect', '--json', `oci:${at('image')}`)).stdout)).toMatchObject({
      kind: 'image',
    })
  })

  it('prints a manifest byte for byte', async () => {
    const store = await openLayout(at('image'))
    const { raw } = await store.getManifest('')
    expect((await run('inspect', '--raw', `oci:${at('image')}`)).stdout).toBe(Buffer.from(raw).toString())
  })

  it('lists names', async () => {
    await run('copy', `oci:${at('image')}`, `oci:${at('names')}:one`)
    await run('copy', `oci:${at('image')}`, `oci:${at('names')}:two`)
    expect(await run('tags', `oci:${at('names')}`)).toMatchObject({ stdout: 'one\ntwo\n' })
    expect(JSON.parse((await run('tags', '--json', `oci:${at('names')}`)).stdout)).toEqual(['one', 'two'])
  })
})
