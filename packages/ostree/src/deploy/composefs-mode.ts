import { BootableError } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import type { OstreeErrorCode } from '../errors.ts'
import { composefsModeAt, readPrepareRoot } from '../sysroot/prepare-root.ts'

/**
 * Makes sure that a deployment's root can be put together from what is on the disk. With `verity` and
 * `signed` every object needs fs-verity: a Merkle tree that only a kernel adds, to a filesystem it has mounted.
 *
 * What counts at boot is the copy of the configuration in the initramfs; it is made from the one in the image.
 *
 * @throws BootableError `OSTREE_COMPOSEFS_UNSUPPORTED`; those of `readPrepareRoot`
 */
export async function requireWritableComposefs(
  tree: FileTree,
  kernelArguments: readonly string[],
): Promise<void> {
  const { composefs } = await readPrepareRoot(tree)
  const mode = composefsModeAt(composefs, kernelArguments)
  if (mode !== 'verity' && mode !== 'signed') return
  throw new BootableError<OstreeErrorCode>(
    'OSTREE_COMPOSEFS_UNSUPPORTED',
    `the image asks for composefs.enabled = ${mode}, but fs-verity cannot be written to a disk that no kernel mounts`,
    {
      details: { composefs: mode },
      hint: 'an image with enabled = yes has a composefs root without it; the plain layout has no composefs at all',
    },
  )
}
