import type { GroupCustomization, UserCustomization } from '@bootable/blueprint'
import type { FileTree, Timestamp } from '@bootable/tree'
import type { AccountDatabase } from './database.ts'
import { openAccounts, saveAccounts } from './database.ts'
import { addGroup } from './groups.ts'
import { applyUser } from './users.ts'

/** Options of {@link customizeAccounts}. */
export interface CustomizeAccountsOptions {
  readonly users?: readonly UserCustomization[]
  readonly groups?: readonly GroupCustomization[]
  /** Salts of passwords follow from it. */
  readonly seed: string
  readonly mtime: Timestamp
  /** @defaultValue `etc` */
  readonly etc?: string
  readonly signal?: AbortSignal
}

/**
 * Groups, then users, into the account files of a tree, with homes and keys. Edits the tree; answers
 * with the accounts as they are then.
 *
 * @throws BootableError `USER_INVALID`, `GROUP_INVALID`, `GROUP_MISSING`, `KEY_INVALID`, `IDS_EXHAUSTED`
 */
export async function customizeAccounts(
  tree: FileTree,
  options: CustomizeAccountsOptions,
): Promise<AccountDatabase> {
  const { users = [], groups = [], seed, mtime, signal } = options
  const etc = options.etc === undefined ? {} : { etc: options.etc }
  const database = await openAccounts(tree, options.etc)
  for (const group of groups) addGroup(database, group)
  for (const user of users) {
    signal?.throwIfAborted()
    await applyUser({ tree, database, seed, mtime }, user)
  }
  saveAccounts(tree, database, { ...etc, mtime })
  return database
}
