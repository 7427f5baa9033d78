import { BootableError, type OperationOptions } from '@bootable/bytes'
import type { Descriptor } from '../wire/types.ts'
import { forEachConcurrently } from './concurrency.ts'
import { type ImageSource, type ListContentOptions, listContent } from './list-content.ts'
import type { ImageStore } from './store.ts'

/** Questions under way at once. */
const QUESTIONS = 4

/** What would become of one blob or manifest. */
export interface PlannedContent {
  readonly descriptor: Descriptor
  /**
   * `present`: it is there already. `mount`: the registry may take it from the repository where it lies; one
   * that does not has it sent. `copy`: its bytes move.
   */
  readonly action: 'present' | 'mount' | 'copy'
}

/** What {@link copyImage} would do. */
export interface CopyPlan {
  /** What would stand under the name. */
  readonly root: Descriptor
  /** In the order in which they are put. */
  readonly manifests: readonly PlannedContent[]
  readonly blobs: readonly PlannedContent[]
  /** Bytes that would move: blobs and manifests to copy. */
  readonly bytes: number
  /** Bytes of blobs that could be mounted; they move as well if the registry does not do it. */
  readonly mountable: number
}

/**
 * Finds out what a copy would move, and moves nothing: manifests of the source are read, the target is asked
 * for each manifest and blob.
 */
export async function planCopy(
  source: ImageSource,
  target: ImageStore,
  options: ListContentOptions = {},
): Promise<CopyPlan> {
  const operation = options.signal ? { signal: options.signal } : {}
  const { root, manifests, blobs } = await listContent(source, options)
  const [from, to] = [source.store.repository, target.repository]
  const isMountable = from !== undefined && from.host === to?.host && from.repository !== to.repository
  const actions = new Map<Descriptor, PlannedContent['action']>()
  await forEachConcurrently(blobs, QUESTIONS, async (descriptor) => {
    const isPresent = await target.hasBlob(descriptor, operation)
    actions.set(descriptor, isPresent ? 'present' : isMountable ? 'mount' : 'copy')
  })
  await forEachConcurrently(manifests, QUESTIONS, async ({ descriptor }) => {
    actions.set(descriptor, (await hasManifest(target, descriptor, operation)) ? 'present' : 'copy')
  })
  const planned = (descriptor: Descriptor): PlannedContent => ({
    descriptor,
    action: actions.get(descriptor) ?? 'copy',
  })
  const plannedManifests = manifests.map((each) => planned(each.descriptor))
  const plannedBlobs = blobs.map(planned)
  const sum = (action: PlannedContent['action']): number =>
    [...plannedBlobs, ...plannedManifests]
      .filter((each) => each.action === action)
      .reduce((total, { descriptor }) => total + descriptor.size, 0)
  return {
    root: root.descriptor,
    manifests: plannedManifests,
    blobs: plannedBlobs,
    bytes: sum('copy'),
    mountable: sum('mount'),
  }
}

async function hasManifest(
  target: ImageStore,
  { digest }: Descriptor,
  options: OperationOptions,
): Promise<boolean> {
  try {
    await target.resolve(digest, options)
    return true
  } catch (error) {
    const isAbsent = ['REFERENCE_UNKNOWN', 'MANIFEST_UNKNOWN', 'NOT_FOUND'].includes(
      BootableError.is(error) ? error.code : '',
    )
    if (isAbsent) return false
    throw error
  }
}
