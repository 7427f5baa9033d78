import { BootableError } from '@bootable/bytes'
import { type Directory, type FileTree, lookup } from '@bootable/tree'
import type { OstreeErrorCode } from '../errors.ts'

/**
 * What `ostree admin deploy` makes a deployment's `/etc` of: `usr/etc` of a commit.
 * @throws BootableError `OSTREE_INVALID_ETC` where it would refuse the commit
 */
export function requirePristineEtc(tree: FileTree): Directory {
  const [etc, pristine] = [lookup(tree, 'etc'), lookup(tree, 'usr/etc')]
  if (pristine?.type !== 'directory') {
    const found = pristine ? `its /usr/etc is a ${pristine.type}` : 'it has neither /etc nor /usr/etc'
    throw invalid(`the image cannot be deployed: ${found}`, 'a machine needs a directory /etc in its image')
  }
  if (etc && (etc.type !== 'directory' || etc.entries.size > 0)) {
    throw invalid(
      'the image has files both in /etc and in /usr/etc, and ostree knows no way to merge them',
      'put all of them into one of the two',
    )
  }
  return pristine
}

function invalid(message: string, hint: string): BootableError<OstreeErrorCode> {
  return new BootableError('OSTREE_INVALID_ETC', message, { hint })
}
