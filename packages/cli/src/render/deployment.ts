import { formatSize } from '@bootable/bytes'
import type { Deployment } from '@bootable/core'
import { formatPairs } from './table.ts'

/** A deployment of ostree, its most telling facts first. */
export function formatDeployment(deployment: Deployment): string {
  const { stateroot, commit, serial, isDefault, origin, image, bootEntry, version } = deployment
  const marks = [...(isDefault ? ['boots by default'] : []), ...(origin?.pinned ? ['pinned'] : [])]
  const title = [bootEntry?.title ?? `${commit.slice(0, 12)}.${serial}`, ...marks].join(', ')
  return formatPairs([
    ['deployment', title],
    ['  image', formatOrigin(origin)],
    ...(image ? formatImage(image) : []),
    ...(version === undefined ? [] : [['  version', version] as const]),
    ['  commit', `${commit}.${serial} of stateroot ${stateroot}`],
    ...(deployment.base === undefined ? [] : [['  base', deployment.base] as const]),
    ['  kernel', deployment.kernelVersion ?? 'unknown'],
    ...(bootEntry ? [['  options', deployment.kernelArguments.join(' ')] as const] : []),
    ['  labels', formatLabels(deployment.labels)],
    ['  composefs', formatComposefs(deployment.composefs)],
    ...deployment.findings.map(formatFinding),
  ])
}

function formatOrigin(origin: Deployment['origin']): string {
  if (!origin?.image) return origin?.refspec ? `none: follows ${origin.refspec}` : 'unknown'
  const { transport, name, signature } = origin.image
  const policy = {
    unverified: 'signature not required',
    'container-policy': 'signed, by the policy of the machine',
    'ostree-remote': 'signed, by the keys of an ostree remote',
  }[signature.type]
  return `${transport === 'docker' ? 'docker://' : `${transport}:`}${name} (${policy})`
}

function formatImage(image: NonNullable<Deployment['image']>): [string, string][] {
  const { manifestDigest, version, created, layers } = image
  const size = layers.reduce((sum, layer) => sum + layer.size, 0)
  return [
    ['  digest', manifestDigest],
    ...(version === undefined ? [] : [['  version', version] as [string, string]]),
    ...(created === undefined ? [] : [['  created', created] as [string, string]]),
    ['  layers', `${layers.length}, ${formatSize(size)}`],
  ]
}

function formatComposefs({ image, enabled }: Deployment['composefs']): string {
  return `${image ? 'there is an image' : 'no image'}, asked for: ${enabled}`
}

/** How many names have an SELinux label. */
export function formatLabels({ labelled, total }: Deployment['labels']): string {
  if (labelled === 0) return 'none'
  return labelled === total ? `all ${total} names` : `${labelled} of ${total} names`
}

/** Something that is not as it should be. */
export function formatFinding({ path, message }: Deployment['findings'][number]): [string, string] {
  return ['  finding', `/${path}: ${message}`]
}
