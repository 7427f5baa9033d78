import * as z from 'zod'
import type { FilesystemCustomization } from '../blueprint.ts'
import { isAllowedMountPoint } from '../mount-points.ts'
import { canonicalPath, size } from './values.ts'

export const filesystem = z.strictObject({
  mountpoint: canonicalPath.refine((path) => isAllowedMountPoint(path), {
    error:
      'is not an allowed mount point: / and /boot are, and directories below /var that nothing else owns',
  }),
  minsize: size,
}) satisfies z.ZodType<FilesystemCustomization>

/** Refuses two entries for one mount point. */
export function checkFilesystems(
  filesystems: readonly FilesystemCustomization[],
  context: z.RefinementCtx,
): void {
  filesystems.forEach(({ mountpoint }, index) => {
    if (filesystems.findIndex((other) => other.mountpoint === mountpoint) === index) return
    context.addIssue({
      code: 'custom',
      path: [index, 'mountpoint'],
      message: `stands here twice: ${mountpoint}`,
    })
  })
}
