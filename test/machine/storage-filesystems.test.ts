import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Converter } from '../../tooling/converter.ts'
import { findFixture } from '../../tooling/fixture.ts'
import { GUEST_MS } from '../../tooling/guest.ts'
import { requireTool } from '../../tooling/oracles.ts'
import {
  buildStorageMachine,
  type CheckedMachine,
  examine,
  healthy,
  PASSWORD,
  prepareOstreeConverter,
  withGuest,
} from '../../tooling/ostree-machine.ts'
import { requireMachine } from '../../tooling/qemu.ts'

const fixture = findFixture('trixie-minimal')
const machines = requireMachine('uefi') && requireMachine('bios')
const tools = requireTool(
  'btrfs',
  'e2fsck',
  'fsck.fat',
  'qemu-img',
  'sgdisk',
  'ssh',
  'ssh-keygen',
  'xfs_repair',
)

const ROOTS = [
  // GRUB reads /boot of the same kind, by a BIOS and under UEFI.
  { rootfs: 'xfs', root: /^xfs / },
  { rootfs: 'btrfs', root: /^btrfs .*compress=zstd:1.*subvol=\/root/ },
]

describe.runIf(fixture && machines && tools).each(ROOTS)('ostree on $rootfs', ({ rootfs, root }) => {
  if (!fixture) return
  let converter: Converter
  let machine: CheckedMachine
  beforeAll(async () => {
    converter = await prepareOstreeConverter()
    machine = await buildStorageMachine(converter, fixture, rootfs, { flags: ['--rootfs', rootfs] })
  })
  afterAll(() => converter.command.close())

  it('is faultless to the checkers', () => {
    expect(machine.findings).toEqual([])
  })

  describe.concurrent('boots', { timeout: GUEST_MS }, () => {
    it('under UEFI, and is healthy', () =>
      withGuest(converter, machine.disk, async (guest) => {
        expect(await examine(guest)).toEqual(healthy({ root }))
      }))

    it('by a BIOS', () =>
      withGuest(
        converter,
        machine.disk,
        async (guest) => {
          const facts = 'findmnt -no FSTYPE /sysroot; systemctl is-system-running --wait'
          expect(await guest.logIn('anna', PASSWORD, facts)).toMatch(new RegExp(`${rootfs}\\s+running`))
        },
        { firmware: 'bios' },
      ))
  })
})
