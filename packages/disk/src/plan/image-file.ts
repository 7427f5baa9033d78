import { BootableError, type ByteSource } from '@bootable/bytes'
import type { InstalledSystem } from '@bootable/system'
import { type FileTree, resolvePath } from '@bootable/tree'
import type { DiskErrorCode } from '../errors.ts'

/**
 * The content of a file of the image; links are followed.
 * @param path as the running machine sees it
 * @throws BootableError `RAW_FILE_MISSING`
 */
export function imageFile(
  { root, sysroot }: { readonly sysroot: FileTree } & Partial<Pick<InstalledSystem, 'root'>>,
  path: string,
): ByteSource {
  const found = resolvePath(root ?? sysroot, path)
  if (found?.inode.type === 'file') return found.inode.content
  const what = found ? `is a ${found.inode.type}` : 'is missing'
  throw new BootableError<DiskErrorCode>('RAW_FILE_MISSING', `the file ${path} ${what} in the image`, {
    details: { path },
  })
}
