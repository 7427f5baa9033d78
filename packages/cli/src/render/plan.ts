import { formatSize } from '@bootable/bytes'
import { describePlan, type Machine } from '@bootable/core'
import { formatDiskSize } from './amount.ts'
import { formatPairs, formatTable } from './table.ts'
import { volumeCells } from './volumes.ts'

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
  return `${facts}\n${formatTable(PLAN_HEAD, planRows(plan))}`
}

export const PLAN_HEAD = ['#', 'name', 'start', 'size', 'type', 'content', 'mount point', 'label', 'uuid']

/** A line for each partition, and below it one for each volume inside, under {@link PLAN_HEAD}. */
export function planRows(plan: Machine['plan']): string[][] {
  return describePlan(plan).flatMap((partition) =>
    volumeCells(partition).map(({ name, size, content, mountpoint, label, uuid }, depth) => {
      const [number, start, type] =
        depth === 0 ? [String(partition.number), formatSize(partition.start), partition.type] : ['', '', '']
      return [number, name, start, size, type, content, mountpoint, label, uuid]
    }),
  )
}
