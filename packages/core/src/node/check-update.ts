import { FormatError } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import type { UpdateCheck } from '@bootable/ostree'
import { openedDiskFile } from '../inspect/disk.ts'
import { type CheckDiskUpdateOptions, checkDiskUpdate } from '../update/check-disk-update.ts'
import { noDisk, openDiskPath } from './open-disk.ts'
import { type OpenImageSourceOptions, openImageStore } from './open-image.ts'

/** Options of {@link checkDiskFileUpdate}. */
export interface CheckDiskFileUpdateOptions
  extends Omit<CheckDiskUpdateOptions, 'openStore' | 'runtime'>,
    Pick<OpenImageSourceOptions, 'registry'> {}

/**
 * `checkDiskUpdate` for a disk in a file, with Node's speed and the logins of this host. References to files
 * (`oci:…`) are looked up here, not on the disk.
 */
export async function checkDiskFileUpdate(
  path: string,
  options: CheckDiskFileUpdateOptions = {},
): Promise<UpdateCheck> {
  const { registry, ...rest } = options
  const opened = await openDiskPath(path, registry ? { ...rest, registry } : rest)
  try {
    return await checkDiskUpdate(await openedDiskFile(opened, rest), {
      ...rest,
      runtime: nodeRuntime,
      openStore: (source) => openImageStore(source, registry ? { registry } : {}),
    })
  } catch (error) {
    throw error instanceof FormatError ? noDisk(path, error) : error
  } finally {
    await opened.close()
  }
}
