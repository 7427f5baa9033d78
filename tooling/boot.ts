// `boot.ts DISK`: starts a disk under QEMU by UEFI firmware and shows its console, until the sample's
// kernel has reported or a login prompt stands there.
import { bootDisk, type Machine, requireMachine } from './qemu.ts'
import { sampleInitramfs } from './sample/layers.ts'
import { fnv1a } from './sample/tiny-kernel.ts'

const [disk] = process.argv.slice(2)
if (disk === undefined) throw new Error('boot.ts needs the path of a disk')
if (requireMachine('uefi')) await boot(disk)

async function boot(path: string): Promise<void> {
  const started = Date.now()
  const format = path.endsWith('.qcow2') ? 'qcow2' : 'raw'
  const machine = bootDisk({ disk: path, format, firmware: 'uefi', memory: 1024 })
  try {
    const showing = show(machine)
    const [line, checksum] = await machine.waitFor(/TINYK .* fnv=([0-9a-f]{8}) END|login: /)
    if (checksum !== undefined) await showing
    const seconds = ((Date.now() - started) / 1000).toFixed(1)
    if (checksum === undefined) {
      console.log(`\nThe machine asks for a login after ${seconds} s.`)
      return
    }
    if (Number.parseInt(checksum, 16) !== fnv1a(sampleInitramfs())) {
      throw new Error(`the kernel got another initramfs than the image has: ${line}`)
    }
    console.log(`\nThe kernel reported after ${seconds} s; its initramfs is the image's, byte for byte.`)
  } finally {
    await machine.close()
  }
}

/** Prints the lines of the console as they are completed; drawings of menus are left out. */
async function show(machine: Machine): Promise<void> {
  let printed = 0
  for await (const _ of machine.serial) {
    const end = machine.console.lastIndexOf('\n') + 1
    const lines = machine.console.slice(printed, Math.max(printed, end)).split('\n')
    printed = Math.max(printed, end)
    for (const line of lines) if (/[a-z]{2}/i.test(line)) console.log(`  ${line.trimEnd()}`)
  }
}
