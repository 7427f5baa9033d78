import { formatSize } from '@bootable/bytes'
import type { ArtifactReport, ImageReport, IndexReport } from '@bootable/core'
import { formatReport } from './report.ts'
import { formatPairs, formatTable } from './table.ts'

/** What `image inspect` prints without `--json`. */
export function formatManifestReport(report: IndexReport | ImageReport | ArtifactReport): string {
  switch (report.kind) {
    case 'image':
      return formatReport(report)
    case 'index':
      return formatIndex(report)
    case 'artifact':
      return formatArtifact(report)
  }
}

function formatIndex({ digest, mediaType, annotations, manifests }: IndexReport): string {
  const rows = manifests.map((entry) => [
    entry.platform ?? entry.artifactType ?? '',
    entry.digest,
    entry.mediaType,
  ])
  const facts = formatPairs([
    ['index', digest],
    ['media type', mediaType],
  ])
  return `${facts}\n${formatTable(['platform', 'manifest', 'media type'], rows)}${formatAnnotations(annotations)}`
}

function formatArtifact(report: ArtifactReport): string {
  const { digest, artifactType, subject, annotations, layers } = report
  const facts = formatPairs([
    ['artifact', digest],
    ['type', artifactType],
    ...(subject === undefined ? [] : [['subject', subject] as const]),
  ])
  const rows = layers.map((layer) => [
    layer.title ?? '',
    formatSize(layer.size),
    layer.digest,
    layer.mediaType,
  ])
  return `${facts}\n${formatTable(['file', 'size', 'layer', 'media type'], rows)}${formatAnnotations(annotations)}`
}

function formatAnnotations(annotations: Readonly<Record<string, string>>): string {
  const names = Object.keys(annotations).sort()
  return names.length > 0 ? `\n${formatPairs(names.map((name) => [name, annotations[name] ?? '']))}` : ''
}
