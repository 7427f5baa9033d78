import { formatSize } from '@bootable/bytes'
import { describePlan, type Machine } from '@bootable/core'
import { formatDiskSize } from './amount.ts'
import { formatPairs, formatTable } from './table.ts'

/** What the chain of signatures comes to. */
const SECURE_BOOT = {
  signed: 'signed up to the kernel',
  'unsigned-kernel': 'the kernel is not signed',
  unsigned: 'not signed',
} as const

function formatBootloader({ kind, grubVersion }: Machine['bootloader']): string {
  return grubVersion === undefined ? kind : `${kind} ${grubVersion}`
}

/** A machine as text: the facts, then the partitions. */
export function formatPlan(machine: Machine): string {
  const { image, system, bootloader, plan, commandLine } = machine
  const facts = formatPairs([
    ['image', image.manifest.descriptor.digest],
    ['system', system.osRelease.PRETTY_NAME ?? system.osRelease.NAME ?? 'unknown'],
    ['architecture', system.architecture],
    ['kernel', system.kernel.version],
    ['arguments', commandLine.join(' ')],
    ['boot loader', `${formatBootloader(bootloader)}: ${bootloader.reason}`],
    ['firmware', bootloader.firmware.map(({ name }) => name).join(', ') || 'none'],
    ...(bootloader.secureBoot ? [['Secure Boot', SECURE_BOOT[bootloader.secureBoot.chain]] as const] : []),
    ['disk', `${formatDiskSize(plan)}, ${plan.uuid}`],
  ])
  const rows = describePlan(plan).map(
    ({ number, name, start, size, type, filesystem, mountpoint, label, uuid }) => [
      String(number),
      name,
      formatSize(start),
      formatSize(size),
      type,
      filesystem,
      mountpoint,
      label,
      uuid,
    ],
  )
  const head = ['#', 'name', 'start', 'size', 'type', 'filesystem', 'mount point', 'label', 'uuid']
  return `${facts}\n${formatTable(head, rows)}`
}
