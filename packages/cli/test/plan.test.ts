import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MiB } from '@bootable/bytes'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { MINIMAL_MACHINE, tarOf, writeLayout } from '../../../tooling/images.ts'
import { EXIT, main } from '../src/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'bootable-plan-'))
const at = (name: string): string => join(folder, name)
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => vi.restoreAllMocks())

const PASSPHRASE = 'correct horse battery'
const DISK_YAML = `
mount_configuration: fstab
partition_table:
  type: gpt
  partitions:
    - {size: 1 MiB, type: 21686148-6449-6E6F-744E-656564454649}
    - size: 100 MiB
      payload_type: filesystem
      payload: {type: vfat, mountpoint: /boot/efi}
    - {size: 64 MiB, payload_type: filesystem, payload: {type: ext4, label: boot, mountpoint: /boot}}
    - size: 300 MiB
      payload_type: luks
      payload:
        pbkdf: {iterations: 4, memory: 32, parallelism: 1}
        payload_type: filesystem
        payload: {type: xfs, label: root, mountpoint: /}
`

beforeAll(() => {
  const yaml = { name: 'usr/lib/image-builder/bootc/disk.yaml', data: DISK_YAML }
  writeLayout(at('image'), { layers: [{ tar: tarOf(MINIMAL_MACHINE) }, { tar: tarOf([yaml]) }] })
  writeFileSync(at('passphrase'), `${PASSPHRASE}\n`)
})

/** Runs the command on the image and answers with its status and what it printed. */
async function run(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      said[name] += String(text)
      return true
    })
  }
  const status = await main([...args, '--no-cache', `oci:${at('image')}`])
  vi.restoreAllMocks()
  expect(JSON.stringify(said)).not.toContain(PASSPHRASE)
  return { status, ...said }
}

const unlock = ['--luks-passphrase-file', at('passphrase')]

describe('bootable plan', () => {
  it('shows the table of the image, with what is inside of its partitions', async () => {
    const { status, stdout, stderr } = await run('plan', ...unlock)
    expect(stderr).toContain('/usr/lib/image-builder/bootc/disk.yaml')
    expect(status).toBe(EXIT.success)
    expect(stdout).toMatch(/^ *4 +root .* LUKS2 /m)
    expect(stdout).toMatch(/^ .* {2}xfs +\/ +root /m)
    expect(stdout).toMatch(/^arguments +rd\.luks\.uuid=[0-9a-f-]{36} root=UUID=/m)
  })

  it('prints JSON and a picture, and writes the picture beside the table', async () => {
    const json = await run('plan', '--json', ...unlock)
    const partition = JSON.parse(json.stdout).disk.partitions[3]
    expect(partition.content).toMatchObject({ type: 'luks', content: { type: 'filesystem' } })
    const picture = await run('plan', '--svg', '-', ...unlock)
    expect(picture.stdout).toMatch(/^<svg [^>]*>[\s\S]*encrypted with LUKS2[\s\S]*<\/svg>\n$/)
    const both = await run('plan', '--svg', at('disk.svg'), ...unlock)
    expect(both.stdout).toContain('LUKS2')
    expect(readFileSync(at('disk.svg'), 'utf8')).toBe(picture.stdout)
  })

  it('does without no passphrase', async () => {
    const { status, stderr } = await run('plan')
    expect(status).toBe(EXIT.failure)
    expect(stderr).toContain('error: nobody gave a passphrase for an encrypted volume\n')
    expect(stderr).toContain('--luks-passphrase-file')
  })
})

describe('bootable build', () => {
  it('leaves the passphrase nowhere', async () => {
    const flags = ['--type', 'raw', '--size', 'minimum', '--progress', 'json', '--output', at('out')]
    const built = await run('build', ...flags, ...unlock)
    expect(built.status, built.stderr).toBe(EXIT.success)
    const manifest = readFileSync(at('out/manifest-raw.json'), 'utf8')
    expect(manifest).not.toContain(PASSPHRASE)
    const { start } = JSON.parse(manifest).disk.partitions[3]
    const header = Buffer.alloc(16 * MiB)
    const disk = await open(at('out/image/disk.raw'))
    await disk.read(header, 0, header.length, start)
    await disk.close()
    expect(header.subarray(0, 4).toString()).toBe('LUKS')
    expect(header.includes(PASSPHRASE)).toBe(false)
  }, 120_000)
})
