import { formatSize } from '@bootable/bytes'
import type { DiskReport, DiskSystemReport, ImageReport, SystemReport } from '@bootable/core'
import { formatDiskSize } from './amount.ts'
import { bootPairs } from './boot.ts'
import { formatDeployment, formatFinding, formatLabels } from './deployment.ts'
import { formatPairs, formatTable } from './table.ts'

/** What `inspect` prints without `--json`. */
export function formatReport(report: DiskReport | ImageReport): string {
  return report.kind === 'disk' ? formatDisk(report) : formatImage(report)
}

function formatImage({
  digest,
  platform,
  created,
  size,
  layers,
  labels,
  bootable,
  system,
}: ImageReport): string {
  const facts = formatPairs([
    ['image', digest],
    ['platform', platform],
    ['created', created ?? 'unknown'],
    ['bootable', bootable ? 'yes, by its labels' : 'no: neither containers.bootc nor ostree.bootable is set'],
    ...(system ? systemPairs(system) : []),
    ['layers', `${layers.length}, ${formatSize(size)}`],
  ])
  const layerRows = layers.map((layer) => [layer.digest, formatSize(layer.size), layer.mediaType])
  const names = Object.keys(labels).sort()
  const labelTable =
    names.length > 0 ? `\n${formatPairs(names.map((name) => [name, labels[name] ?? '']))}` : ''
  return `${facts}\n${formatTable(['layer', 'size', 'media type'], layerRows)}${labelTable}`
}

function formatDisk(report: DiskReport): string {
  const { size, sectorSize, uuid, partitions, boot, system, note } = report
  const facts = formatPairs([
    ['disk', `${formatFile(report)}, ${formatDiskSize({ size, sectorSize })}, ${uuid}`],
    ...(boot ? bootPairs(boot) : []),
    ...(system ? diskSystemPairs(system) : []),
    ...(note === undefined ? [] : [['note', note] as const]),
  ])
  const rows = partitions.map(({ number, start, size: length, type, filesystem }) => [
    String(number),
    formatSize(start),
    formatSize(length),
    type,
    filesystem?.type ?? '',
    filesystem?.label ?? '',
    filesystem?.uuid ?? '',
  ])
  const table = formatTable(['#', 'start', 'size', 'type', 'filesystem', 'label', 'uuid'], rows)
  const parts = system?.layout === 'ostree' ? system.deployments.map(formatDeployment) : formatEntries(system)
  return [facts, table, ...parts].join('\n')
}

/** The format of a disk, how it is compressed, and what carries it. */
function formatFile({ format, compression, carrier }: DiskReport): string {
  const packed = compression ? ` compressed with ${compression}` : ''
  return `${format}${packed}${carrier ? ` in ${carrier === 'artifact' ? 'an artifact' : 'a containerdisk'}` : ''}`
}

function formatEntries(system: DiskSystemReport | undefined): string[] {
  return (system?.bootEntries ?? []).map(({ id, title, linux, options }) =>
    formatPairs([
      ['boot entry', title ?? id],
      ['  linux', linux ?? ''],
      ['  options', options ?? ''],
    ]),
  )
}

function diskSystemPairs(system: DiskSystemReport): [string, string][] {
  return [
    ...systemPairs(system),
    ['layout', system.layout],
    // With ostree they differ from one deployment to the other.
    ...(system.layout === 'plain' ? [['labels', formatLabels(system.labels)] as [string, string]] : []),
    ...system.findings.map(formatFinding),
  ]
}

function systemPairs({ osRelease, kernels }: SystemReport): [string, string][] {
  const name = osRelease.PRETTY_NAME ?? osRelease.NAME ?? 'unknown'
  return [
    ['system', name],
    ['kernel', kernels.length > 0 ? kernels.join(', ') : 'none'],
  ]
}
