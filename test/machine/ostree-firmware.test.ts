import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Converter } from '../../tooling/converter.ts'
import { findFixture } from '../../tooling/fixture.ts'
import { requireTool } from '../../tooling/oracles.ts'
import { prepareOstreeConverter, TARGET } from '../../tooling/ostree-machine.ts'
import { bootDisk, requireMachine } from '../../tooling/qemu.ts'

const fixture = findFixture('trixie-minimal')
const machines = requireMachine('uefi') && requireMachine('bios') && requireTool('ssh-keygen')

/** One file for both kinds of firmware; what the machine does from there on is shown by other tests. */
describe.runIf(fixture && machines)('an ostree system reaches its login prompt', () => {
  let converter: Converter
  let output: string
  beforeAll(async () => {
    converter = await prepareOstreeConverter()
    const types = ['--type', 'raw', '--type', 'qcow2']
    const image = `oci-archive:${fixture?.archive}`
    output = await converter.build([...types, '--target-imgref', TARGET, image], 'firmware')
  })
  afterAll(() => converter.command.close())

  describe.each([
    { format: 'raw', file: 'image/disk.raw' },
    { format: 'qcow2', file: 'qcow2/disk.qcow2' },
  ] as const)('from $format', ({ format, file }) => {
    it.concurrent.each(['bios', 'uefi'] as const)('by %s', async (firmware) => {
      const disk = join(output, file)
      const machine = bootDisk({ disk, format, firmware, memory: 1024, timeoutMs: 590_000 })
      try {
        // The kernel prints its command line twice; a serial port may lose a byte of either.
        await machine.waitFor(/ommand line: .* ostree=\/ostree\/boot\.1\/default\//)
        await machine.waitFor(/login: /)
        expect(machine.console.includes('efi: EFI v')).toBe(firmware === 'uefi')
      } finally {
        await machine.close()
      }
    })
  })
})
