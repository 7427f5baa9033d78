import { formatSize } from '@bootable/bytes'
import type { ComparedImages } from '@bootable/core/node'
import { printable } from './printable.ts'
import { formatPairs } from './table.ts'

/** What `image diff` prints in front of the files. */
export function formatImageDifference(difference: Difference): string {
  const { sharedLayers, recompressedLayers, removedLayers, addedLayers, fetchSize, config } = difference
  const facts = formatPairs([
    ['shared', describeLayers(sharedLayers)],
    ...(recompressedLayers.length > 0
      ? [['compressed anew', describeLayers(recompressedLayers)] as const]
      : []),
    ['removed', describeLayers(removedLayers)],
    ['added', describeLayers(addedLayers)],
    ['to fetch', formatSize(fetchSize)],
  ])
  if (config.length === 0) return facts
  const changes = config.map(({ path, before, after }): [string, string] => [
    path,
    `${formatValue(before)} → ${formatValue(after)}`,
  ])
  return `${facts}\n${formatPairs(changes)}`
}

type Difference = ComparedImages['difference']
type FileChange = ReturnType<ComparedImages['files']> extends AsyncIterable<infer Change> ? Change : never

const MARKS = { added: '+', removed: '-', changed: '~' } as const

/** One line: a mark, the path, and for what changed in which way. */
export function formatFileChange({ path, change, reasons, sizeBefore, sizeAfter }: FileChange): string {
  const size = change === 'removed' ? sizeBefore : change === 'added' ? sizeAfter : undefined
  const more = [...(size === undefined ? [] : [formatSize(size)]), ...reasons]
  return `${MARKS[change]} ${printable(path)}${more.length > 0 ? `  ${printable(more.join(', '))}` : ''}\n`
}

function describeLayers(layers: Difference['sharedLayers']): string {
  if (layers.length === 0) return 'none'
  const size = layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0)
  return `${layers.length} ${layers.length === 1 ? 'layer' : 'layers'}, ${formatSize(size)}`
}

function formatValue(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value)
}
