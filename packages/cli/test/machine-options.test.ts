import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GiB } from '@bootable/bytes'
import { Command } from 'commander'
import { afterAll, describe, expect, it } from 'vitest'
import { addMachineFlags, type MachineFlags, readMachineFlags } from '../src/commands/machine-options.ts'

const folder = mkdtempSync(join(tmpdir(), 'bootable-flags-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** What the flags become, read as the commands read them. */
async function optionsOf(...args: string[]): Promise<object> {
  const { options } = await read(...args)
  const { image: _, ...rest } = options
  return rest
}

function read(...args: string[]): ReturnType<typeof readMachineFlags> {
  const quiet = { writeErr: () => {}, writeOut: () => {} }
  const command = addMachineFlags(
    new Command('test').argument('<image>').exitOverride().configureOutput(quiet),
  )
  command.parse([...args, 'oci:x'], { from: 'user' })
  return readMachineFlags('oci:x', command.opts<MachineFlags>())
}

function fileOf(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

describe('flags that describe a machine', () => {
  it('leave everything to the pipeline by default', async () => {
    expect(await optionsOf()).toEqual({ bootloader: 'auto', layout: 'auto' })
  })

  it('ask for signatures by a key, by a policy, but not by both', async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const key = fileOf('cosign.pub', publicKey.export({ type: 'spki', format: 'pem' }) as string)
    const trust = { type: 'keys', keys: [{ path: key }] }
    expect(await optionsOf('--verify-key', key)).toMatchObject({
      policy: { default: [{ type: 'sigstoreSigned', trust, signedIdentity: { type: 'matchAny' } }] },
    })
    const path = fileOf('policy.json', '{"default":[{"type":"reject"}]}')
    expect(await optionsOf('--policy', path)).toMatchObject({ policy: { default: [{ type: 'reject' }] } })
    await expect(read('--policy', join(folder, 'none'))).rejects.toMatchObject({ code: 'POLICY_UNREADABLE' })
    expect(() => read('--policy', path, '--verify-key', key)).toThrow(/cannot be used with/)
  })

  it.each<[args: string[], options: object]>([
    [['--rootfs', 'ext4'], { rootfs: 'ext4' }],
    [['--rootfs', 'xfs'], { rootfs: 'xfs' }],
    [['--rootfs', 'btrfs'], { rootfs: 'btrfs' }],
    [['--size', '20 GiB'], { size: 20 * GiB }],
    [['--size', 'minimum'], { size: 'minimum' }],
    [['--sector-size', '4096'], { sectorSize: 4096 }],
    [['--layout', 'plain'], { layout: 'plain' }],
    [['--target-imgref', 'quay.io/a/b:1'], { targetReference: 'quay.io/a/b:1' }],
    [['--stateroot', 'os'], { stateroot: 'os' }],
    [['--target-arch', 'arm64'], { platform: 'arm64' }],
    [['--seed', ''], { seed: '' }],
    [['--cache', '/a/b'], { cache: '/a/b' }],
    [['--no-cache'], { cache: false }],
    [['--no-default-kernel-args'], { defaultKernelArguments: false }],
    [['--no-tls-verify'], { registry: { insecure: true } }],
    [['--bootloader', 'systemd-boot'], { bootloader: 'systemd-boot' }],
    [['--firmware', 'uefi,bios,uefi'], { firmware: ['uefi', 'bios'] }],
    [['--secure-boot'], { secureBoot: 'required' }],
    [['--updates', 'on'], { blueprint: { customizations: { updates: { enabled: true } } } }],
  ])('%j', async (args, options) => {
    expect(await optionsOf(...args)).toEqual({ bootloader: 'auto', layout: 'auto', ...options })
  })

  it.each([
    [['--size', 'large']],
    [['--sector-size', '1024']],
    [['--size', '-5']],
    [['--rootfs', 'zfs']],
    [['--bootloader', 'lilo']],
    [['--firmware', 'bios,coreboot']],
    [['--layout', 'bootc']],
    [['--updates', 'maybe']],
    [['--seed']],
  ])('are refused as %j', (args) => {
    expect(() => read(...args)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^commander\./) }),
    )
  })
})

describe('--luks-passphrase-file', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

  it.each([
    ['correct horse\n', 'correct horse'],
    ['no newline', 'no newline'],
    ['two\n\n', 'two\n'],
    [' blanks stay \r\n', ' blanks stay \r'],
  ])('%j is %j', async (content, passphrase) => {
    const file = fileOf('passphrase', content)
    expect(await optionsOf('--luks-passphrase-file', file)).toMatchObject({
      luksPassphrase: bytes(passphrase),
    })
  })

  it('tells of files that hold none, and nothing of what they hold', async () => {
    await expect(read('--luks-passphrase-file', join(folder, 'none'))).rejects.toMatchObject({
      code: 'PASSPHRASE_NOT_READABLE',
    })
    await expect(read('--luks-passphrase-file', fileOf('empty', '\n'))).rejects.toMatchObject({
      code: 'PASSPHRASE_INVALID',
      message: `the passphrase from ${join(folder, 'empty')} is empty`,
    })
    await expect(read('--luks-passphrase-file', '-', '--config', '-')).rejects.toMatchObject({
      code: 'STANDARD_INPUT_TWICE',
    })
  })
})

describe('--config', () => {
  it('reads both formats by the name, and hands warnings on', async () => {
    const json = fileOf(
      'a.json',
      '{"blueprint": {"customizations": {"hostname": "h", "user": [{"name": "anna"}]}}}',
    )
    const toml = fileOf('a.toml', '[[customizations.user]]\nname = "anna"\n')
    const [fromJson, fromToml] = [await read('--config', json), await read('--config', toml)]
    expect(fromJson.options.blueprint?.customizations.user).toEqual(
      fromToml.options.blueprint?.customizations.user,
    )
    expect(fromJson.warnings.map(({ key }) => key)).toEqual(['customizations.hostname'])
    expect(fromToml.warnings).toEqual([])
  })

  it('gives way to --updates, and keeps the rest', async () => {
    const text = '[[customizations.group]]\nname = "web"\n[customizations.updates]\nenabled = true\n'
    const config = fileOf('updates.toml', text)
    const { options } = await read('--config', config, '--updates', 'off')
    expect(options.blueprint).toEqual({
      customizations: { group: [{ name: 'web' }], updates: { enabled: false } },
    })
    expect((await read('--config', config)).options.blueprint?.customizations.updates).toEqual({
      enabled: true,
    })
  })

  it('says which file cannot be read', async () => {
    const missing = join(folder, 'missing.toml')
    await expect(read('--config', missing)).rejects.toMatchObject({
      code: 'CONFIG_NOT_READABLE',
      message: expect.stringContaining(missing),
    })
    await expect(read('--config', fileOf('a.yaml', ''))).rejects.toMatchObject({ code: 'CONFIG_UNKNOWN' })
    await expect(read('--config', fileOf('bad.json', '{'))).rejects.toMatchObject({
      code: 'BLUEPRINT_INVALID',
    })
  })
})
