import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { fileError } from './errors.ts'

/**
 * Makes a folder and what is missing above it; one that is there is fine. Not by Node's `recursive`: that
 * never ends where the system says of a folder in an existing one that it does not exist, as below `/proc`.
 *
 * @throws BootableError `FILE_NOT_WRITABLE`, `FILE_NO_SPACE`
 */
export async function makeFolder(path: string): Promise<void> {
  const missing: string[] = []
  for (let each = resolve(path); !(await isFolder(each)); each = dirname(each)) {
    missing.push(each)
    if (dirname(each) === each) break
  }
  for (const each of missing.reverse()) {
    try {
      await mkdir(each)
    } catch (cause) {
      // Somebody else may have been quicker.
      if (!(await isFolder(each))) {
        throw fileError('FILE_NOT_WRITABLE', `make the folder ${path}`, { path }, cause)
      }
    }
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  )
}
