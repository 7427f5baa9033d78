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

const composefs = findFixture('forky-minimal')
const bind = findFixture('trixie-minimal')
const tools = requireTool('e2fsck', 'dumpe2fs', 'fsck.fat', 'sgdisk', 'ssh', 'ssh-keygen')

describe.runIf(composefs && bind && tools)('an ostree system, by an unprivileged user', () => {
  if (!composefs || !bind) return
  let converter: Converter
  let withComposefs: BuiltMachine
  let withBind: BuiltMachine
  let plain: BuiltMachine
  beforeAll(async () => {
    converter = await prepareOstreeConverter()
    withComposefs = await buildMachine(converter, composefs, 'composefs')
    withBind = await buildMachine(converter, bind, 'bind')
    plain = await buildMachine(converter, bind, 'plain', 'plain')
  })
  afterAll(() => converter.command.close())

  it('is faultless to sgdisk, e2fsck and fsck.fat', () => {
    expect(withComposefs.findings).toEqual([])
    expect(withBind.findings).toEqual([])
  })

  it('is no bigger than its tree: repository and deployment share their inodes', () => {
    const extra = withBind.used - plain.used
    console.log(`root filesystem: ${withBind.used} bytes with ostree, ${plain.used} bytes plain`)
    // What the tree does not have: a block for each directory's object and a copy of /etc.
    expect(extra).toBeLessThan(0.08 * plain.used)
  })

  describe.runIf(requireMachine('uefi')).concurrent('boots under UEFI', () => {
    it('with composefs, and is updated and rolled back', () =>
      withGuest(converter, withComposefs.disk, async (guest) => {
        expect(await examine(guest)).toEqual(healthy({ root: /^overlay +ro,.*datadir\+=\/sysroot\/ostree/ }))
        await update(guest)
        await rollBack(guest)
      }))

    it('without composefs', () =>
      withGuest(converter, withBind.disk, async (guest) => {
        expect(await examine(guest)).toEqual(healthy({ root: /^ext4 / }))
      }))
  })
})

/** A second commit, as the machine's own tools make and deploy it. */
async function update(guest: Guest): Promise<void> {
  await guest.ask('mkdir -p /var/tmp/new/usr/share && echo two > /var/tmp/new/usr/share/marker')
  await guest.ask('echo "# changed here" >> /etc/issue')
  const booted = "$(ostree admin status | sed -n 's/^\\* default \\([0-9a-f]*\\).*/\\1/p')"
  const trees = `--tree=ref=${booted} --tree=dir=/var/tmp/new`
  await guest.ask(`ostree commit --repo=/ostree/repo --branch=lab/second ${trees} --bootable --subject=two`)
  expect(await guest.ask('ostree admin deploy lab/second')).toContain('deployment count change: 1')
  expect(await guest.ask('ostree admin status')).toMatch(/^ {2}default [0-9a-f]{64}\.0 \(pending\)$/m)

  await guest.restart()
  expect(await guest.ask('cat /usr/share/marker')).toBe('two')
  expect(await guest.ask('tail -n 1 /etc/issue; id -nG anna')).toBe('# changed here\nanna sudo crew')
  expect(await guest.ask('ostree admin status')).toMatch(/^ {2}default [0-9a-f]{64}\.0 \(rollback\)$/m)
  expect(await guest.ask('systemctl is-system-running --wait')).toBe('running')
}

async function rollBack(guest: Guest): Promise<void> {
  expect(await guest.ask('ostree admin set-default 1')).toContain('bootversion')
  await guest.restart()
  expect(await guest.ask('test ! -e /usr/share/marker && tail -n 1 /etc/issue')).toBe('# changed here')
  expect(await guest.ask('systemctl is-system-running --wait')).toBe('running')
  expect(await guest.ask('ostree fsck --repo=/ostree/repo 2>&1 | tail -n 1')).toMatch(/no errors found/)
}
