import { parseKeyFile } from './key-file.ts'
import { parseTargetReference, type TargetReference } from './target-reference.ts'

/** What stands in the `.origin` file beside a deployment: where it came from, and comes from next. */
export interface Origin {
  /** `container-image-reference`, for a deployment that follows a container image. */
  readonly image?: TargetReference
  /** `refspec` or `baserefspec`, for one that follows a branch of an ostree remote. */
  readonly refspec?: string
  /** `ostree admin pin`: the deployment stays when newer ones push it out. */
  readonly pinned: boolean
  /** Groups of rpm-ostree. With any of them a machine cannot be updated by bootc. */
  readonly localChanges: readonly string[]
}

const LOCAL_CHANGES = ['rpmostree', 'packages', 'overrides', 'modules']

/**
 * Reads an origin.
 * @param name stands in front of messages
 * @throws BootableError `OSTREE_INVALID_KEY_FILE`, `OSTREE_INVALID_REFERENCE`
 */
export function parseOrigin(text: string, name = 'origin'): Origin {
  const file = parseKeyFile(text, name)
  const image = file.get('origin', 'container-image-reference')
  const refspec = file.get('origin', 'refspec') ?? file.get('origin', 'baserefspec')
  return {
    ...(image !== undefined && { image: parseTargetReference(image) }),
    ...(refspec !== undefined && { refspec }),
    pinned: ['true', '1'].includes(file.get('libostree-transient', 'pinned') ?? ''),
    localChanges: file.groups.filter((group) => LOCAL_CHANGES.includes(group)),
  }
}
