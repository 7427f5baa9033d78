import { formatSize } from '@bootable/bytes'
import type { UpdateCheck } from '@bootable/core'
import { formatPairs } from './table.ts'

/** What `check-update` prints without `--json`. */
export function formatUpdateCheck({
  reference,
  deployed,
  available,
  changed,
  layers,
  bytes,
}: UpdateCheck): string {
  const sameImage = deployed.digest !== available.digest
  const none = sameImage ? 'none: another manifest, but of the same image' : 'none: the machine is up to date'
  return formatPairs([
    ['image', reference],
    ['deployed', formatSide(deployed)],
    ['available', formatSide(available)],
    ['update', changed ? `${layers.missing} of ${layers.total} layers, ${formatSize(bytes)} to fetch` : none],
  ])
}

function formatSide({ digest, version, created }: UpdateCheck['deployed']): string {
  return [digest, version && `version ${version}`, created].filter(Boolean).join(', ')
}
