import { join } from 'node:path'
import { MiB, memoryDevice } from '@bootable/bytes'
import { type FatType, writeFat } from '@bootable/filesystems/fat'
import { createFile, createTree, putInode } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import { temporaryFolder } from '../../tooling/oracles.ts'
import { bootDisk, requireMachine } from '../../tooling/qemu.ts'

describe.runIf(requireMachine('uefi'))('UEFI firmware reads our FAT', () => {
  const folder = temporaryFolder()
  const volumes: [type: FatType, mebibytes: number, sectorSize: 512 | 4096][] = [
    [12, 8, 512],
    [16, 200, 4096],
    [32, 40, 512],
  ]

  for (const [type, mebibytes, sectorSize] of volumes) {
    test(`FAT${type} of ${mebibytes} MiB, sectors of ${sectorSize}`, async () => {
      // The firmware's shell runs this file when there is nothing to boot.
      const name = 'A directory with a long name\\and in it a file, number 77.txt'
      const tree = createTree()
      putInode(tree, 'startup.nsh', createFile(`@echo -off\r\nfs0:\r\ntype "${name}"\r\nreset -s\r\n`))
      for (let index = 0; index < 200; index++) {
        const path = name.replace('\\', '/').replace('77', `${index}`)
        putInode(tree, path, createFile(`This is file ${index}: ${type} bits.\r\n`))
      }
      const device = memoryDevice(mebibytes * MiB)
      await writeFat(tree, device, { volumeId: 0x1234_5678, label: 'EFI-SYSTEM', type, sectorSize })
      const disk = join(folder, `fat${type}-${mebibytes}`)
      await saveDevice(device, disk)
      const machine = bootDisk({ disk, firmware: 'uefi', memory: 256, sectorSize, timeoutMs: 90_000 })
      try {
        await machine.waitFor(new RegExp(`This is file 77: ${type} bits\\.`))
        expect(await machine.exitStatus).toBe(0)
      } finally {
        await machine.close()
      }
    })
  }
})

describe.runIf(requireMachine('bios'))('BIOS', () => {
  const folder = temporaryFolder()

  test('our boot sector sends it on to the next device', async () => {
    const device = memoryDevice(20 * MiB)
    await writeFat(createTree(), device, { volumeId: 1 })
    const disk = join(folder, 'empty')
    await saveDevice(device, disk)
    const machine = bootDisk({ disk, firmware: 'bios', memory: 64, timeoutMs: 30_000 })
    try {
      await machine.waitFor(/Booting from Hard Disk/)
      await expect(machine.waitFor(/never/)).rejects.toThrow(/found \/No bootable device/)
    } finally {
      await machine.close()
    }
  })
})
