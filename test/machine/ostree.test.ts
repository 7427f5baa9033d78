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

const composefs = findFixture('forky-minimal')
const bind = findFixture('trixie-minimal')
const tools = requireTool('e2fsck', 'dumpe2fs', 'fsck.fat', 'qemu-img', 'sgdisk', 'ssh', 'ssh-keygen')

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
    console.log(`root filesystem: ${withBind.used} bytes with ostree, ${plain.used} bytes plain`)
    // What the tree does not have: a block for each directory's object, the copies of /etc and /var.
    expect(withBind.used).toBeLessThan(1.03 * plain.used)
  })

  describe.runIf(requireMachine('uefi')).concurrent('boots under UEFI', { timeout: GUEST_MS }, () => {
    it('with composefs, and is updated and rolled back', () =>
      withGuest(converter, withComposefs.disk, async (guest) => {
        expect(await examine(guest)).toEqual(healthy({ root: /^overlay +ro,.*datadir\+=\/sysroot\/ostree/ }))
        await update(guest)
        await rollBack(guest)
      }))

    it('without composefs', () =>
      withGuest(converter, withBind.disk, async (guest) => {
        expect(await examine(guest)).toEqual(healthy({ root: /^ext4 / }))
        expect(await fsck(guest)).toContain('no errors found')
      }))
  })
})

/** A second commit, as the machine's own tools make and deploy it. */
async function update(guest: Guest): Promise<void> {
  const booted = "$(ostree admin status | sed -n 's/^\\* default \\([0-9a-f]*\\).*/\\1/p')"
  const trees = `--tree=ref=${booted} --tree=dir=/var/tmp/new`
  const { deployed, pending } = await guest.askEach({
    edit: 'echo "# changed here" >> /etc/issue',
    tree: 'mkdir -p /var/tmp/new/usr/share && echo two > /var/tmp/new/usr/share/marker',
    commit: `ostree commit --repo=/ostree/repo --branch=lab/second ${trees} --bootable --subject=two`,
    deployed: 'ostree admin deploy lab/second',
    pending: 'ostree admin status',
  })
  expect(deployed).toContain('deployment count change: 1')
  expect(pending).toMatch(/^ {2}default [0-9a-f]{64}\.0 \(pending\)$/m)

  await guest.restart()
  const { marker, user, issue, state, status } = await guest.askEach({
    marker: 'cat /usr/share/marker',
    user: 'id -nG anna',
    issue: 'tail -n 1 /etc/issue',
    state: 'systemctl is-system-running --wait || true',
    status: 'ostree admin status',
  })
  expect({ marker, user, issue, state }).toEqual({
    marker: 'two',
    user: 'anna sudo crew',
    issue: '# changed here',
    state: 'running',
  })
  expect(status).toMatch(/^ {2}default [0-9a-f]{64}\.0 \(rollback\)$/m)
}

async function rollBack(guest: Guest): Promise<void> {
  expect(await guest.ask('ostree admin set-default 1')).toContain('bootversion')
  await guest.restart()
  const answers = await guest.askEach({
    marker: 'cat /usr/share/marker 2>/dev/null || true',
    issue: 'tail -n 1 /etc/issue',
    state: 'systemctl is-system-running --wait || true',
  })
  expect(answers).toEqual({ marker: '', issue: '# changed here', state: 'running' })
  expect(await fsck(guest)).toContain('no errors found')
}
