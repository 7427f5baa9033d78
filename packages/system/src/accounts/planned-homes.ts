import type { UserCustomization } from '@bootable/blueprint'
import type { FileTree } from '@bootable/tree'
import { findDirectory } from '@bootable/tree'
import { findUser, openAccounts } from './database.ts'

/**
 * The homes that `customizeAccounts` would make or put keys into, so that somebody can look at the places
 * before anything is edited.
 *
 * @throws BootableError `ACCOUNTS_INVALID`, `CONFIGURATION_INVALID`
 */
export async function plannedHomes(tree: FileTree, users: readonly UserCustomization[]): Promise<string[]> {
  if (users.length === 0) return []
  const database = await openAccounts(tree)
  return users.flatMap(({ name, home, key }) => {
    const existing = findUser(database, name)
    const place = home ?? existing?.home ?? `${database.settings.defaults.home}/${name}`
    const isTouched = !existing || home !== undefined || key !== undefined
    if (place === '' || !isTouched || (key === undefined && findDirectory(tree, place))) return []
    return [place]
  })
}
