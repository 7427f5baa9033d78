import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { MINIMAL_MACHINE, tarOf, writeLayout } from '../../../tooling/images.ts'
import { EXIT, main } from '../src/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'bootable-check-update-'))
const layout = join(folder, 'image')
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => vi.restoreAllMocks())

function publish(version: string): void {
  const app = { name: 'usr/bin/app', data: `application ${version}` }
  rmSync(layout, { recursive: true, force: true })
  writeLayout(layout, {
    layers: [{ tar: tarOf(MINIMAL_MACHINE) }, { tar: tarOf([app]) }],
    labels: { 'containers.bootc': '1', 'org.opencontainers.image.version': version },
  })
}

/** Runs the command and answers with its status and what it printed. */
async function run(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      said[name] += String(text)
      return true
    })
  }
  const status = await main(args)
  vi.restoreAllMocks()
  return { status, ...said }
}

describe('bootable check-update', () => {
  const build = (output: string, ...flags: string[]): Promise<{ status: number; stderr: string }> =>
    run(
      'build',
      '--type',
      'raw',
      '--size',
      'minimum',
      '--no-cache',
      '--output',
      output,
      ...flags,
      `oci:${layout}`,
    )
  const plain = join(folder, 'plain')

  beforeAll(async () => {
    publish('1')
    const built = await build(join(folder, 'ostree'), '--layout', 'ostree', '--bootloader', 'none')
    expect(built, built.stderr).toMatchObject({ status: EXIT.success })
    expect(await build(plain, '--layout', 'plain')).toMatchObject({ status: EXIT.success })
  })
  const path = join(folder, 'ostree', 'image/disk.raw')

  it('ends with 0 while there is nothing new', async () => {
    const { status, stdout } = await run('check-update', path)
    expect(status).toBe(EXIT.success)
    expect(stdout).toContain('update     none: the machine is up to date\n')
    expect(stdout).toContain(`image      oci:${layout}`)
  })

  it('ends with 100 where there is an update', async () => {
    publish('2')
    expect(await run('check-update', path)).toMatchObject({
      status: EXIT.updateAvailable,
      stdout: expect.stringMatching(/available {2}sha256:[0-9a-f]+, version 2\nupdate {5}1 of 2 layers/),
    })
    const { status, stdout } = await run('check-update', '--json', path)
    expect(status).toBe(100)
    expect(JSON.parse(stdout)).toMatchObject({ changed: true, layers: { total: 2, missing: 1 } })
  })

  it('ends with 1 where it cannot be found out', async () => {
    expect(await run('check-update', join(plain, 'image/disk.raw'))).toMatchObject({
      status: EXIT.failure,
      stderr: expect.stringContaining('the disk has the plain layout'),
    })
    expect(await run('check-update', '--image', `oci:${folder}/nowhere`, path)).toMatchObject({
      status: EXIT.failure,
    })
    expect(await run('check-update')).toMatchObject({ status: EXIT.usage })
  })

  it('leaves it to inspect to show what is there', async () => {
    const { status, stdout } = await run('inspect', path)
    expect(status).toBe(EXIT.success)
    expect(stdout).toMatch(/^layout +ostree$/m)
    expect(stdout).toMatch(/^deployment +.*boots by default$/m)
    expect(stdout).toMatch(/^ {2}options +root=UUID=.* ostree=\/ostree\/boot\.1\/default\/[0-9a-f]{64}\/0$/m)
    expect(stdout).not.toContain('finding')
  })
})
