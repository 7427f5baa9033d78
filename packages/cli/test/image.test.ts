import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { copyImage, MEDIA_TYPE, openImage } from '@bootable/oci'
import { createLayout, openDockerArchive, openLayout, openOciArchive } from '@bootable/oci/node'
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

describe('bootable image diff', () => {
  beforeAll(() => {
    const changed = [...MINIMAL_MACHINE, { name: 'usr/share/new', data: 'content' }]
    writeLayout(at('changed'), { layers: [{ tar: tarOf(changed) }] })
  })

  it('tells layers and files', async () => {
    const { status, stdout } = await run('diff', '--no-times', `oci:${at('image')}`, `oci:${at('changed')}`)
    expect(status).toBe(EXIT.success)
    expect(stdout).toMatch(/^shared +none$/m)
    expect(stdout).toMatch(/^added +1 layer, /m)
    expect(stdout).toMatch(/^\+ \/?usr\/share\/new {2}7 B$/m)
  })

  it('finds nothing between an image and itself', async () => {
    const { stdout } = await run('diff', '--json', `oci:${at('image')}`, `oci:${at('image')}`)
    expect(stdout.trimEnd().split('\n')).toHaveLength(1)
    expect(JSON.parse(stdout)).toMatchObject({ addedLayers: [], removedLayers: [], fetchSize: 0, config: [] })
  })
})

describe('bootable image verify', () => {
  it('says what a policy thinks, and copies refuse what it refuses', async () => {
    writeFileSync(at('reject.json'), JSON.stringify({ default: [{ type: 'reject' }] }))
    writeFileSync(at('accept.json'), JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }))
    const image = `oci:${at('image')}`
    expect(await run('verify', '--policy', at('accept.json'), image)).toMatchObject({ status: EXIT.success })
    const refused = await run('verify', '--policy', at('reject.json'), image)
    expect(refused.status).toBe(EXIT.failure)
    expect(refused.stdout).toMatch(/^verdict +refused$/m)

    const target = `oci-archive:${at('refused.tar')}`
    const { status, stderr } = await run('copy', '--policy', at('reject.json'), image, target)
    expect(status).toBe(EXIT.failure)
    expect(stderr).toMatch(/reject/)
    await expect(stat(at('refused.tar'))).rejects.toThrow()
    expect(await run('copy', '--policy', at('accept.json'), image, target)).toMatchObject({
      status: EXIT.success,
    })
  })
})

describe('a policy and an index', () => {
  /** A layout whose name stands for an index with one entry: the image under that platform, or none. */
  async function indexed(name: string, platform?: object): Promise<string> {
    const layout = await createLayout(at(name))
    const image = await openImage(await openLayout(at('image')), '')
    await copyImage(image, layout, '')
    const entry = { ...image.manifest.descriptor, annotations: undefined, ...(platform && { platform }) }
    const index = { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [entry] }
    const raw = new TextEncoder().encode(JSON.stringify(index))
    await layout.putManifest(raw, { mediaType: MEDIA_TYPE.index, reference: 'index' })
    return `oci:${at(name)}:index`
  }

  it.each([
    ['unknown', { os: 'unknown', architecture: 'unknown' }],
    ['of-linux', { os: 'linux', architecture: 'amd64' }],
    ['of-nothing', undefined],
  ])('what is in it is judged, also an entry %s', async (name, platform) => {
    writeFileSync(at('no.json'), JSON.stringify({ default: [{ type: 'reject' }] }))
    const from = await indexed(name, platform)
    const target = `oci-archive:${at(`${name}.tar`)}`
    const { status, stderr } = await run('copy', '--policy', at('no.json'), from, target)
    expect(status).toBe(EXIT.failure)
    expect(stderr).toMatch(/reject/)
    await expect(stat(at(`${name}.tar`))).rejects.toThrow()
    expect(await run('copy', from, target)).toMatchObject({ status: EXIT.success })
  })
})

describe('what is typed wrongly', () => {
  it('a key that is none is told before anything is asked', async () => {
    writeFileSync(at('none.pub'), 'no key')
    for (const [key, says] of [
      ['nowhere.pub', /cannot read .*nowhere\.pub/],
      ['none.pub', /not a public key/],
    ] as const) {
      const { status, stderr } = await run('verify', '--verify-key', at(key), `oci:${at('image')}`)
      expect(status).toBe(EXIT.failure)
      expect(stderr).toMatch(says)
    }
  })

  it('a target that is a file, or that cannot be', async () => {
    writeFileSync(at('file'), '')
    for (const target of [`oci:${at('file')}`, 'oci:/proc/nothing']) {
      const { status, stderr } = await run('copy', `oci:${at('image')}`, target)
      expect(status).toBe(EXIT.failure)
      expect(stderr).toMatch(/cannot make the folder/)
      expect(stderr).not.toMatch(/\n +at /)
    }
  })

  it('two answers to one question', async () => {
    const flags = ['--platform', 'linux/amd64', '--all-platforms']
    expect(await run('pull', ...flags, `oci:${at('image')}`, `oci:${at('two')}`)).toMatchObject({
      status: EXIT.usage,
    })
  })
})
