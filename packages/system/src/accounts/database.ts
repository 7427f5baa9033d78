import { BootableError } from '@bootable/bytes'
import type { FileTree, Timestamp } from '@bootable/tree'
import { readText, writeText } from '../edit.ts'
import type { SystemErrorCode } from '../errors.ts'
import type { ColonFile } from './colon-file.ts'
import { parseColonFile } from './colon-file.ts'
import type { AccountSettings } from './settings.ts'
import { MAX_ID, parseAccountSettings } from './settings.ts'

/** The accounts of a tree, open for editing. Nothing reaches the tree before it is saved. */
export interface AccountDatabase {
  readonly passwd: ColonFile
  readonly shadow: ColonFile
  readonly group: ColonFile
  /** Absent where the image has none: shadow-utils keeps only the files that are there. */
  readonly gshadow?: ColonFile
  readonly subuid?: ColonFile
  readonly subgid?: ColonFile
  /** Accounts of the image itself, `usr/lib/passwd` and `usr/lib/group` (nss-altfiles): read only. */
  readonly altPasswd: ColonFile
  readonly altGroup: ColonFile
  readonly settings: AccountSettings
}

/** Fields of a line, by the man page of each file. */
const FIELD_COUNTS = { passwd: 7, shadow: 9, group: 4, gshadow: 4, subuid: 3, subgid: 3 } as const

/**
 * Reads the accounts of a tree.
 * @param etc directory of the files, `etc` or the `etc` of a deployment
 * @throws BootableError `CONFIGURATION_INVALID`, `LIMIT_EXCEEDED`
 */
export async function openAccounts(tree: FileTree, etc = 'etc'): Promise<AccountDatabase> {
  const [passwd, shadow, group, gshadow, subuid, subgid, altPasswd, altGroup, loginDefs, useradd] =
    await Promise.all(
      [
        `${etc}/passwd`,
        `${etc}/shadow`,
        `${etc}/group`,
        `${etc}/gshadow`,
        `${etc}/subuid`,
        `${etc}/subgid`,
        'usr/lib/passwd',
        'usr/lib/group',
        `${etc}/login.defs`,
        `${etc}/default/useradd`,
      ].map((path) => readText(tree, path)),
    )
  return {
    passwd: parseColonFile(passwd ?? '', FIELD_COUNTS.passwd),
    shadow: parseColonFile(shadow ?? '', FIELD_COUNTS.shadow),
    group: parseColonFile(group ?? '', FIELD_COUNTS.group),
    ...(gshadow !== undefined && { gshadow: parseColonFile(gshadow, FIELD_COUNTS.gshadow) }),
    ...(subuid !== undefined && { subuid: parseColonFile(subuid, FIELD_COUNTS.subuid) }),
    ...(subgid !== undefined && { subgid: parseColonFile(subgid, FIELD_COUNTS.subgid) }),
    altPasswd: parseColonFile(altPasswd ?? '', FIELD_COUNTS.passwd),
    altGroup: parseColonFile(altGroup ?? '', FIELD_COUNTS.group),
    settings: parseAccountSettings(loginDefs ?? '', useradd ?? ''),
  }
}

/** Modes of files that were not there. Password hashes are for root's eyes. */
const MODES = {
  passwd: 0o644,
  shadow: 0o600,
  group: 0o644,
  gshadow: 0o600,
  subuid: 0o644,
  subgid: 0o644,
} as const

/** Writes the files that have changed; owner and mode of those that were there stay. */
export function saveAccounts(
  tree: FileTree,
  database: AccountDatabase,
  options: { etc?: string; mtime: Timestamp },
): void {
  const { etc = 'etc', mtime } = options
  for (const name of Object.keys(MODES) as (keyof typeof MODES)[]) {
    const file = database[name]
    if (file?.changed) writeText(tree, `${etc}/${name}`, file.text(), { mode: MODES[name], mtime })
  }
}

/** A user as passwd(5) has it. */
export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly gecos: string
  readonly home: string
  readonly shell: string
}

/**
 * Looks where nsswitch's `files altfiles` would look.
 * @throws BootableError `ACCOUNTS_INVALID` when its line has ids that are none
 */
export function findUser(database: AccountDatabase, name: string): Account | undefined {
  const fields = database.passwd.find(name) ?? database.altPasswd.find(name)
  if (!fields) return undefined
  const [, , uid, gid, gecos, home, shell] = fields as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ]
  const idOf = (text: string): number => parseId(text, 'passwd', name)
  return { name, uid: idOf(uid), gid: idOf(gid), gecos, home, shell }
}

/** An id as it stands in a file. What is not one must not become an owner of files: `Number('')` is root's. */
function parseId(text: string, file: 'passwd' | 'group', name: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) <= MAX_ID) return Number(text)
  throw new BootableError<SystemErrorCode>(
    'ACCOUNTS_INVALID',
    `${name} has ${JSON.stringify(text.slice(0, 40))} for an id in the file ${file} of the image`,
    { details: { file, name, id: text.slice(0, 40) } },
  )
}

/**
 * The gid of a group, by name; from the image's own file as well.
 * @throws BootableError `ACCOUNTS_INVALID` when its line has a gid that is none
 */
export function findGroup(database: AccountDatabase, name: string): number | undefined {
  const fields = database.group.find(name) ?? database.altGroup.find(name)
  return fields && parseId(fields[2] as string, 'group', name)
}

/** The name of a group, by gid. */
export function findGroupName(database: AccountDatabase, gid: number): string | undefined {
  const entries = [...database.group.entries(), ...database.altGroup.entries()]
  return entries.find((fields) => Number(fields[2]) === gid)?.[0]
}

/** All ids of a kind that are taken. */
export function usedIds(file: ColonFile, alternative: ColonFile): Set<number> {
  return new Set([...file.entries(), ...alternative.entries()].map((fields) => Number(fields[2])))
}
