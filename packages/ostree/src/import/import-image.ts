import { BootableError, type OperationOptions } from '@bootable/bytes'
import { type FetchLayersOptions, fetchLayers, type Image, shortDigest } from '@bootable/oci'
import { labelTree, readSelinuxPolicy, type SystemWarning } from '@bootable/system'
import type { FileTree, Inode } from '@bootable/tree'
import type { OstreeErrorCode } from '../errors.ts'
import type { Checksum } from '../object/checksum.ts'
import { commitTree } from '../repository/commit-tree.ts'
import type { Repository } from '../repository/repository.ts'
import { readPrepareRoot } from '../sysroot/prepare-root.ts'
import { adoptObjects } from './adopt-objects.ts'
import { type EncapsulatedCommit, importEncapsulated } from './encapsulated.ts'
import type { NumberedLayer } from './layer-error.ts'
import { filterLayer } from './layer-filter.ts'
import { createLayerTree } from './layer-tree.ts'
import { IMPORTER_VERSION, imageTimestamp, mergeMetadata } from './merge-metadata.ts'
import { requirePristineEtc } from './pristine-etc.ts'
import { imageRef, layerRef } from './refs.ts'
import { removeInjected, unionTrees } from './union.ts'

/** The ostree-ext whose importer this follows; commits say so. */
export const DEFAULT_IMPORTER_VERSION = '0.15.3'

/** Label of an encapsulated image: the diff id of the last layer that belongs to its commit. */
const FINAL_DIFF_ID = 'ostree.final-diffid'

/** Options of {@link importImage}. */
export interface ImportImageOptions extends FetchLayersOptions {
  /** Where objects, commits and refs go. */
  readonly repository: Repository
  /**
   * The image that the machine will ask for updates, with its transport: `docker://quay.io/example/os:latest`
   * (see `formatTargetImage`). The ref of the image is named after it.
   */
  readonly reference: string
  /**
   * `from-image`: files are labelled as the SELinux policy in the image says, where there is one.
   * `none`: labels stay what the layers say. @defaultValue `from-image`
   */
  readonly policy?: 'from-image' | 'none'
  /** What commits say about their importer. @defaultValue {@link DEFAULT_IMPORTER_VERSION} */
  readonly importerVersion?: string
  /** Time of the commits in seconds since 1970 where the image has none. @defaultValue 0 */
  readonly clock?: number
}

/** An image that has become commits of a repository. */
export interface ImportedImage {
  /** The merge commit: what gets deployed. */
  readonly commit: Checksum
  /**
   * The tree of that commit: `usr/etc` in place of `etc`, labelled where the image has a policy. Directories
   * are new, files are the inodes of the repository's objects.
   */
  readonly tree: FileTree
  /** The commit that the image was encapsulated from, the parent of the merge commit. */
  readonly base?: Checksum
  /** Of the manifest for the platform, as it is served. */
  readonly manifestDigest: string
  readonly warnings: readonly SystemWarning[]
}

/**
 * Imports an image into a repository as `bootc install` does: a commit for each layer, a commit of all of them
 * laid over each other, and a ref for each. Contents stay in the layer cache; each file is hashed once.
 *
 * The commits are those that `ostree commit` makes of the layers, and the metadata those of ostree-ext: a
 * machine updates from them with what it has.
 *
 * @throws BootableError `OSTREE_INVALID_LAYER`, `OSTREE_UNSUPPORTED_FILE`, `OSTREE_INVALID_ETC`,
 *   `OSTREE_INVALID_REF`; of an encapsulated image `OSTREE_CHECKSUM_MISMATCH`, `OSTREE_INVALID_ENCAPSULATION`;
 *   and those of `fetchLayers`
 */
export async function importImage(image: Image, options: ImportImageOptions): Promise<ImportedImage> {
  const { repository, reference, importerVersion = DEFAULT_IMPORTER_VERSION, signal } = options
  const ref = imageRef(reference)
  const layers = (await fetchLayers(image, options)).map((layer, index) => ({ ...layer, index }))
  const baseLayers = layers.slice(0, countBaseLayers(image))
  const derivedLayers = layers.slice(baseLayers.length)
  const operation = operationOf(options)
  const base = baseLayers.length > 0 ? await importEncapsulated(repository, baseLayers, operation) : undefined

  const { trees, dropped } = await createDerivedTrees(derivedLayers, base)
  await labelTrees(trees, base, options)
  if (base) await adoptObjects(repository, base.tree, operationOf(options, 'the base'))
  const timestamp = imageTimestamp(image) ?? options.clock ?? 0
  for (const [index, layer] of derivedLayers.entries()) {
    signal?.throwIfAborted()
    const tree = trees[index] as FileTree
    const { digest } = layer.descriptor.descriptor
    await adoptObjects(repository, tree, operationOf(options, `layer ${shortDigest(digest)}`))
    const metadata = new Map([[IMPORTER_VERSION, importerVersion]])
    repository.refs.set(
      layerRef(digest),
      await commitTree(repository, tree, { ...operation, metadata, timestamp }),
    )
  }

  const tree = mergeTrees(base, trees)
  requirePristineEtc(tree)
  const commit = await commitTree(repository, tree, {
    ...operation,
    ...(base && { parent: base.commit }),
    metadata: mergeMetadata(image, importerVersion),
    timestamp,
  })
  repository.refs.set(ref, commit)
  return {
    commit,
    tree,
    ...(base && { base: base.commit }),
    manifestDigest: image.manifest.descriptor.digest,
    warnings: warnDropped(dropped),
  }
}

/** How many layers an encapsulated commit takes; 0 for an image that is none. */
function countBaseLayers({ config, layers }: Image): number {
  const diffId = config.value.config?.Labels?.[FINAL_DIFF_ID]
  if (diffId === undefined) return 0
  const last = layers.findIndex((layer) => layer.diffId === diffId)
  if (last >= 0) return last + 1
  throw new BootableError<OstreeErrorCode>(
    'OSTREE_INVALID_ENCAPSULATION',
    `the label ${FINAL_DIFF_ID} is ${JSON.stringify(diffId.slice(0, 200))}, which is none of the image's layers`,
    { details: { diffId }, hint: 'a tool rewrote the layers and kept the labels: build the image anew' },
  )
}

interface DerivedTrees {
  /** One for each layer; a layer that comes twice has one. */
  readonly trees: readonly FileTree[]
  readonly dropped: ReadonlyMap<string, number>
}

async function createDerivedTrees(
  layers: readonly NumberedLayer[],
  base: EncapsulatedCommit | undefined,
): Promise<DerivedTrees> {
  const keepOthers = base === undefined || (await isRootOverlaid(base.tree))
  const known = new Map<string, FileTree>()
  const dropped = new Map<string, number>()
  const trees = layers.map((layer) => {
    const { diffId } = layer.descriptor
    const filtered = filterLayer(layer.members, { keepOthers })
    const tree = known.get(diffId) ?? createLayerTree(layer, filtered.members)
    if (!known.has(diffId)) {
      for (const [name, count] of filtered.dropped) dropped.set(name, (dropped.get(name) ?? 0) + count)
    }
    known.set(diffId, tree)
    return tree
  })
  return { trees, dropped }
}

/** Whether `/` comes from an overlay at boot, so that it can show more than `usr`, `etc` and `var`. */
async function isRootOverlaid(tree: FileTree): Promise<boolean> {
  const { composefs, rootTransient } = await readPrepareRoot(tree)
  return composefs !== 'no' || rootTransient
}

/**
 * Labels the layers and the base by the policy that is in all of them together. An image without layers of its
 * own keeps the labels of its commit.
 */
async function labelTrees(
  trees: readonly FileTree[],
  base: EncapsulatedCommit | undefined,
  { policy = 'from-image' }: ImportImageOptions,
): Promise<void> {
  if (trees.length === 0 || policy === 'none') return
  const selinux = await readSelinuxPolicy(mergeTrees(base, trees), { etc: 'usr/etc' })
  if (!selinux) return
  const copies = new Map<Inode, readonly Inode[]>()
  for (const { root } of [...new Set(trees), ...(base ? [base.tree] : [])]) {
    labelTree(root, '/', selinux, { replace: true, hardLinks: 'split', copies })
  }
}

function mergeTrees(base: EncapsulatedCommit | undefined, trees: readonly FileTree[]): FileTree {
  const merged = unionTrees(base?.tree, trees)
  if (!merged) {
    throw new BootableError<OstreeErrorCode>('OSTREE_INVALID_LAYER', 'the image has no layers')
  }
  removeInjected(merged)
  return merged
}

function warnDropped(dropped: ReadonlyMap<string, number>): SystemWarning[] {
  if (dropped.size === 0) return []
  const counts = [...dropped]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `/${name}: ${count}`)
  return [
    {
      message: `paths of the image that have no place in an ostree deployment were left out (${counts.join(', ')})`,
      hint: 'what lies below /run, /tmp, /proc, /sys and /dev is made when the machine runs',
    },
  ]
}

/** The options of a step; `what` tells its progress from that of other steps. */
function operationOf(
  { runtime, signal, onProgress }: ImportImageOptions,
  what?: string,
): OperationOptions & Pick<ImportImageOptions, 'runtime'> {
  return {
    ...(runtime && { runtime }),
    ...(signal && { signal }),
    ...(onProgress && {
      onProgress: (event) => {
        if (what === undefined || !('id' in event)) onProgress(event)
        else {
          const own = { ...event, id: `${event.id} of ${what}` }
          onProgress('label' in own ? { ...own, label: `${own.label} of ${what}` } : own)
        }
      },
    }),
  }
}
