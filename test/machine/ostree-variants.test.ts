import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Converter } from '../../tooling/converter.ts'
import { findFixture } from '../../tooling/fixture.ts'
import { GUEST_MS, type Guest } from '../../tooling/guest.ts'
import { requireTool } from '../../tooling/oracles.ts'
import {
  type BuiltMachine,
  buildMachine,
  examine,
  fsck,
  healthy,
  prepareOstreeConverter,
  withGuest,
} from '../../tooling/ostree-machine.ts'
import { requireMachine } from '../../tooling/qemu.ts'

const labelled = findFixture('trixie-minimal-selinux')
const chunked = findFixture('trixie-minimal-native')
const tools = requireTool('e2fsck', 'dumpe2fs', 'fsck.fat', 'qemu-img', 'sgdisk', 'ssh', 'ssh-keygen')

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

  describe.runIf(requireMachine('uefi')).concurrent('boots under UEFI', { timeout: GUEST_MS }, () => {
    it('with SELinux, and the labels of its policy', () =>
      withGuest(converter, withLabels.disk, async (guest) => {
        expect(await examine(guest)).toEqual(healthy({ root: /^ext4 / }))
        expect(await fsck(guest)).toContain('no errors found')
        await checkLabels(guest)
      }))

    it('from an ostree commit that came in chunks', () =>
      withGuest(converter, withBase.disk, async (guest) => {
        expect(await examine(guest)).toEqual(healthy({ root: /^ext4 / }))
        expect(await fsck(guest)).toContain('no errors found')
        const log = await guest.ask('ostree log --repo=/ostree/repo ostree/1/1/0')
        expect(log).toMatch(/^Parent: +[0-9a-f]{64}$/m)
      }))
  })
})

/** systemd-tmpfiles (provision.conf) labels this by the name /root/.ssh, restorecon by where that name leads. */
const RELABELLED =
  'Would relabel /var/roothome/.ssh from unconfined_u:object_r:ssh_home_t:s0 to unconfined_u:object_r:var_t:s0'

async function checkLabels(guest: Guest): Promise<void> {
  const paths = [
    '/',
    '/boot',
    '/etc/shadow',
    '/sysroot/ostree',
    '/usr/bin/bash',
    '/usr/sbin/sshd',
    '/var/log',
  ]
  const { mode, labels, changes } = await guest.askEach({
    mode: 'getenforce',
    labels: `stat -c '%n %C' ${paths.join(' ')}`,
    changes: 'restorecon -n -R -v /etc /var /boot /usr 2>&1',
  })
  expect(mode).toBe('Permissive')
  expect(labels.split('\n')).toEqual([
    '/ system_u:object_r:root_t:s0',
    '/boot system_u:object_r:boot_t:s0',
    '/etc/shadow system_u:object_r:shadow_t:s0',
    '/sysroot/ostree system_u:object_r:usr_t:s0',
    '/usr/bin/bash system_u:object_r:shell_exec_t:s0',
    '/usr/sbin/sshd system_u:object_r:sshd_exec_t:s0',
    '/var/log system_u:object_r:var_log_t:s0',
  ])
  expect(changes).toBe(RELABELLED)
}
