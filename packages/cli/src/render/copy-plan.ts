import { formatSize } from '@bootable/bytes'
import type { PlannedCopy } from '@bootable/core/node'
import { formatPairs, formatTable } from './table.ts'

/** What `image copy --dry-run` prints. */
export function formatCopyPlan({ source, target, plan }: PlannedCopy): string {
  const facts = formatPairs([
    ['from', source],
    ['to', target],
    ['manifest', plan.root.digest],
    ['to move', formatSize(plan.bytes)],
    ...(plan.mountable > 0 ? [['to mount', formatSize(plan.mountable)] as const] : []),
  ])
  const rows = [...plan.blobs, ...plan.manifests].map(({ descriptor, action }) => [
    action,
    formatSize(descriptor.size),
    descriptor.digest,
    descriptor.mediaType,
  ])
  return `${facts}\n${formatTable(['what', 'size', 'digest', 'media type'], rows)}`
}
