import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Converter } from '../../tooling/converter.ts'
import { findFixture } from '../../tooling/fixture.ts'
import type { Guest } from '../../tooling/guest.ts'
import { requireTool } from '../../tooling/oracles.ts'
import {
  type BuiltMachine,
  buildMachine,
  examine,
  healthy,
  prepareOstreeConverter,
  withGuest,
} from '../../tooling/ostree-machine.ts'
import { requireMachine } from '../../tooling/qemu.ts'

const labelled = findFixture('trixie-minimal-selinux')
const chunked = findFixture('trixie-minimal-native')
const tools = requireTool('e2fsck', 'dumpe2fs', 'fsck.fat', 'sgdisk', 'ssh', 'ssh-keygen')

describe.runIf(labelled && chunked && tools)('an ostree system, by an unprivileged user', () => {
  if (!labelled || !chunked) return
  let converter: Converter
  let withLabels: BuiltMachine
  let withBase: BuiltMachine
  beforeAll(async () => {
    converter = await prepareOstreeConverter()
    withLabels = await buildMachine(converter, labelled, 'labelled')
    withBase = await buildMachine(converter, chunked, 'chunked')
  })
  afterAll(() => converter.command.close())

  it('is faultless to sgdisk, e2fsck and fsck.fat', () => {
    expect(withLabels.findings).toEqual([])
    expect(withBase.findings).toEqual([])
  })

  describe.runIf(requireMachine('uefi')).concurrent('boots under UEFI', () => {
    it('with SELinux, and has nothing to relabel', () =>
      withGuest(converter, withLabels.disk, async (guest) => {
        expect(await examine(guest)).toEqual(healthy({ root: /^ext4 / }))
        await checkLabels(guest)
      }))

    it('from an ostree commit that came in chunks', () =>
      withGuest(converter, withBase.disk, async (guest) => {
        expect(await examine(guest)).toEqual(healthy({ root: /^ext4 / }))
        const log = await guest.ask('ostree log --repo=/ostree/repo ostree/1/1/0')
        expect(log).toMatch(/^Parent: +[0-9a-f]{64}$/m)
      }))
  })
})

async function checkLabels(guest: Guest): Promise<void> {
  expect(await guest.ask('getenforce')).toBe('Permissive')
  const paths = [
    '/',
    '/usr/bin/bash',
    '/etc/shadow',
    '/etc/passwd',
    '/boot',
    '/var/log',
    '/home/anna',
    '/usr/sbin/sshd',
  ]
  expect(await guest.ask(`ls -dZ ${paths.join(' ')}`)).toMatchInlineSnapshot()
  expect(await guest.ask('restorecon -n -R -v /etc /var /boot /usr 2>&1')).toBe('')
}
