import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { requireTool, run, runOk } from './oracles.ts'

/** Nothing of the host: no other devices, no daemons, no backups. */
const CONFIGURATION = `
devices { use_devicesfile=0 obtain_device_list_from_udev=0 external_device_info_source="none" }
global { use_lvmpolld=0 use_lvmlockd=0 system_id_source="none" }
backup { backup=0 archive=0 }
activation { udev_sync=0 udev_rules=0 monitoring=0 }
`

/** LVM's programs, on one loop device. */
export interface LvmHost {
  /** The loop device. */
  readonly device: string
  /** Standard output of an LVM command that must succeed. It sees this device alone. */
  lvm(command: string, ...args: string[]): Promise<string>
  /** The rows of a report such as `lvs`; sizes in bytes. */
  report(command: 'lvs' | 'vgs' | 'pvs', fields: string): Promise<Record<string, string>[]>
}

/** Whether LVM's programs can be asked: they look at block devices, so it takes root and loop devices. */
export function canAskLvm(): boolean {
  const isPossible = process.getuid?.() === 0 && existsSync('/dev/loop-control')
  if (!isPossible) console.warn('tests skipped: LVM looks at block devices, for root alone')
  return isPossible && requireTool('lvm', 'losetup')
}

/**
 * Hands `use` LVM's programs, which work on an image file by a loop device.
 *
 * They are told that there is no device-mapper driver: they read and change metadata as ever, and activate
 * nothing. So they do in machines whose kernel has none.
 */
export async function withLvm<T>(
  image: string,
  folder: string,
  use: (host: LvmHost) => Promise<T>,
): Promise<T> {
  const system = join(folder, 'lvm')
  mkdirSync(system, { recursive: true })
  writeFileSync(join(system, 'lvm.conf'), CONFIGURATION)
  const env = { LVM_SYSTEM_DIR: system, LVM_SUPPRESS_FD_WARNINGS: '1' }
  const device = (await runOk('losetup', ['--find', '--show', image])).stdout.trim()
  const lvm = async (command: string, ...args: string[]): Promise<string> => {
    // pvck knows no device but the one that it is given.
    const devices = command === 'pvck' ? [] : ['--driverloaded', 'n', '--devices', device]
    return (await runOk('lvm', [command, ...devices, ...args], { env })).stdout
  }
  try {
    return await use({
      device,
      lvm,
      async report(command, fields) {
        const options = ['--units', 'b', '--nosuffix', '--reportformat', 'json', '-o', fields]
        const { report } = JSON.parse(await lvm(command, ...options)) as {
          report: Record<string, Record<string, string>[]>[]
        }
        return report.flatMap((part) => Object.values(part).flat())
      },
    })
  } finally {
    await run('losetup', ['--detach', device])
  }
}
