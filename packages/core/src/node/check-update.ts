import { FormatError } from '@bootable/bytes'
import { nodeRuntime, openFileSource } from '@bootable/bytes/node'
import type { UpdateCheck } from '@bootable/ostree'
import { type CheckDiskUpdateOptions, checkDiskUpdate } from '../update/check-disk-update.ts'
import { noDisk } from './inspect.ts'
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
  const file = await openFileSource(path)
  try {
    return await checkDiskUpdate(file, {
      ...rest,
      runtime: nodeRuntime,
      openStore: (source) => openImageStore(source, registry ? { registry } : {}),
    })
  } catch (error) {
    throw error instanceof FormatError ? noDisk(path, error) : error
  } finally {
    await file.close()
  }
}
