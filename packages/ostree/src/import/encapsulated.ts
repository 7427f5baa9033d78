import { BootableError, type OperationOptions, type RuntimeOptions } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import type { OstreeErrorCode } from '../errors.ts'
import type { Checksum } from '../object/checksum.ts'
import { encodeCommit } from '../object/commit.ts'
import { encodeDirmeta } from '../object/dirmeta.ts'
import { encodeDirtree } from '../object/dirtree.ts'
import { checkoutCommit } from '../repository/checkout.ts'
import type { Repository } from '../repository/repository.ts'
import { layerError, type NumberedLayer } from './layer-error.ts'
import { EMBEDDED_REPOSITORY } from './layer-filter.ts'
import { importObjects } from './object-layer.ts'
import { layerRef } from './refs.ts'

/** The commit that an image was made from. */
export interface EncapsulatedCommit {
  readonly commit: Checksum
  readonly tree: FileTree
}

/**
 * Takes an ostree commit back out of the layers that it was encapsulated in, every object verified. The ref of
 * the first layer becomes the commit; those of the others commits that only hold their objects together.
 *
 * @param layers the one with the commit, its trees and what no other layer has; then chunks of file objects
 * @throws BootableError `OSTREE_CHECKSUM_MISMATCH`, `OSTREE_INVALID_ENCAPSULATION`, also where objects are missing
 */
export async function importEncapsulated(
  repository: Repository,
  layers: readonly NumberedLayer[],
  options: OperationOptions & RuntimeOptions,
): Promise<EncapsulatedCommit> {
  let commit: Checksum | undefined
  for (const layer of layers) {
    const { metadata, files } = await importObjects(repository, layer, options)
    const ref = layerRef(layer.descriptor.descriptor.digest)
    if (commit !== undefined) {
      const [stray] = metadata
      if (stray) {
        const message = 'metadata of the repository belongs into the layer with the commit'
        throw layerError('OSTREE_INVALID_ENCAPSULATION', layer, stray.member.path, message)
      }
      repository.refs.set(ref, commitChunk(repository, files))
      continue
    }
    const commits = metadata.filter(({ type }) => type === 'commit')
    if (commits.length !== 1) {
      const message = `${commits.length} commits, and not one, where the commit of the image should be`
      throw layerError('OSTREE_INVALID_ENCAPSULATION', layer, EMBEDDED_REPOSITORY, message)
    }
    commit = commits[0]?.checksum as Checksum
    repository.refs.set(ref, commit)
  }
  return { commit: commit as Checksum, tree: checkoutWhole(repository, commit as Checksum) }
}

/** A commit of one directory that holds the objects under their own names, as ostree-ext makes it. */
function commitChunk(repository: Repository, files: readonly Checksum[]): Checksum {
  const names = new Map(files.map((checksum) => [checksum, checksum]))
  const tree = repository.addMetadata('dirtree', encodeDirtree({ files: names, directories: new Map() }))
  const meta = repository.addMetadata(
    'dirmeta',
    encodeDirmeta({ uid: 0, gid: 0, mode: 0o755, xattrs: new Map() }),
  )
  const commit = { metadata: new Map(), subject: '', body: '', timestamp: 0, tree, meta }
  return repository.addMetadata('commit', encodeCommit(commit))
}

function checkoutWhole(repository: Repository, commit: Checksum): FileTree {
  try {
    return checkoutCommit(repository, commit)
  } catch (cause) {
    if (!BootableError.is(cause, 'OSTREE_OBJECT_MISSING')) throw cause
    throw new BootableError<OstreeErrorCode>(
      'OSTREE_INVALID_ENCAPSULATION',
      `the layers do not hold all of the commit ${commit}: ${cause.message}`,
      {
        details: { commit, ...cause.details },
        hint: 'the image was not exported whole, or its label ostree.final-diffid names a layer too early',
        cause,
      },
    )
  }
}
