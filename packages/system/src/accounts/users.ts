import type { UserCustomization } from '@bootable/blueprint'
import { BootableError } from '@bootable/bytes'
import type { FileTree, Timestamp } from '@bootable/tree'
import { findDirectory } from '@bootable/tree'
import type { SystemErrorCode } from '../errors.ts'
import { parseAuthorizedKeys } from './authorized-keys.ts'
import type { ColonFile } from './colon-file.ts'
import type { Account, AccountDatabase } from './database.ts'
import { findGroup, findGroupName, findUser, usedIds } from './database.ts'
import { addMember, appendGroup, nextGid } from './groups.ts'
import { addAuthorizedKeys, createHome, createMailSpool } from './home.ts'
import { nextFreeId, nextFreeRange } from './ids.ts'
import { hashPassword, LOCKED } from './password.ts'
import type { SubordinateSettings } from './settings.ts'

/** What all users of one machine share. */
export interface UserContext {
  readonly tree: FileTree
  readonly database: AccountDatabase
  readonly seed: string
  readonly mtime: Timestamp
}

/**
 * Makes a user as `useradd` of the image would, or changes one that is there as `usermod` would, with
 * home and keys.
 *
 * It differs from useradd in three places, each where useradd would leave an account nobody can use: a
 * home is made unless login.defs says `CREATE_HOME no`, a `gid` that no group has becomes the user's own
 * group, and a member is added to a group that only the image's `usr/lib/group` has.
 *
 * @throws BootableError `USER_INVALID`, `GROUP_MISSING`, `KEY_INVALID`, `IDS_EXHAUSTED`
 */
export async function applyUser(context: UserContext, wanted: UserCustomization): Promise<void> {
  const { tree, database, mtime } = context
  const { settings } = database
  // Keys are checked first: nothing of a user that fails should stand in any file.
  const keys = parseAuthorizedKeys(wanted.key ?? '', wanted.name)
  const existing = findUser(database, wanted.name)
  const account = existing ? modifyUser(context, wanted, existing) : createUser(context, wanted)
  for (const group of wanted.groups ?? []) addMember(database, group, account.name)

  const wantsHome = existing
    ? wanted.home !== undefined || keys.length > 0
    : settings.createHome !== false || wanted.home !== undefined || keys.length > 0
  if (account.home !== '' && wanted.home !== '' && wantsHome) {
    createHome(tree, account, { mode: settings.homeMode, skel: settings.defaults.skel, mtime })
  }
  if (!existing && settings.defaults.createMailSpool) {
    const owner = { ...account, mailGroup: findGroup(database, 'mail') }
    createMailSpool(tree, settings.mailDirectory, owner, mtime)
  }
  if (keys.length === 0) return
  if (!findDirectory(tree, account.home)) {
    throw new BootableError<SystemErrorCode>(
      'USER_INVALID',
      `user ${wanted.name} has a key, but no home to keep it in`,
      {
        details: { user: wanted.name },
        hint: 'leave out home = "", or name a directory',
      },
    )
  }
  await addAuthorizedKeys(tree, account, keys, mtime)
}

function createUser({ database, seed, mtime }: UserContext, wanted: UserCustomization): Account {
  const { passwd, shadow, altPasswd, settings } = database
  const { name } = wanted
  const uid = wanted.uid ?? nextFreeId(usedIds(passwd, altPasswd), settings.uidMin, settings.uidMax)
  const account: Account = {
    name,
    uid,
    gid: choosePrimaryGroup(database, wanted, uid),
    gecos: wanted.description ?? '',
    home: wanted.home || `${settings.defaults.home}/${name}`,
    shell: wanted.shell ?? settings.defaults.shell,
  }
  passwd.add(passwdFields(account))
  const { passwordMinDays, passwordMaxDays, passwordWarnDays, defaults } = settings
  const ageing = [passwordMinDays, passwordMaxDays, passwordWarnDays, defaults.inactive]
  const expire = wanted.expiredate === undefined ? parseDate(defaults.expire) : String(wanted.expiredate)
  const password =
    wanted.password === undefined ? LOCKED : hashPassword(wanted.password, { seed, user: name })
  shadow.set([name, password, lastChange(wanted, mtime), ...ageing, expire, ''])

  // An id outside of the limits is a system's, which gets no subordinate ids.
  if (wanted.uid === undefined || (uid >= settings.uidMin && uid <= settings.uidMax)) {
    addRange(database.subuid, name, settings.subUid)
    addRange(database.subgid, name, settings.subGid)
  }
  return account
}

function choosePrimaryGroup(database: AccountDatabase, wanted: UserCustomization, uid: number): number {
  const { settings } = database
  if (wanted.gid !== undefined && findGroupName(database, wanted.gid) !== undefined) return wanted.gid
  if (wanted.gid === undefined && !settings.userGroups) {
    const { group } = settings.defaults
    return /^\d+$/.test(group) ? Number(group) : (findGroup(database, group) ?? 100)
  }
  const existing = findGroup(database, wanted.name)
  if (existing !== undefined) {
    throw new BootableError<SystemErrorCode>(
      'USER_INVALID',
      `user ${wanted.name} cannot have a group of its own: there is one`,
      {
        details: { user: wanted.name, gid: existing },
        hint: `to make the existing group the user's, give gid = ${existing}`,
      },
    )
  }
  const gid = wanted.gid ?? nextGid(database, uid)
  appendGroup(database, wanted.name, gid)
  return gid
}

function modifyUser(
  { database, seed, mtime }: UserContext,
  wanted: UserCustomization,
  existing: Account,
): Account {
  const { name } = wanted
  if (wanted.uid !== undefined && wanted.uid !== existing.uid) {
    throw new BootableError<SystemErrorCode>(
      'USER_INVALID',
      `user ${name} has the uid ${existing.uid} in the image, the blueprint asks for ${wanted.uid}`,
      {
        details: { user: name, existing: existing.uid, uid: wanted.uid },
        hint: 'files of the image belong to the old one',
      },
    )
  }
  if (wanted.gid !== undefined && findGroupName(database, wanted.gid) === undefined) {
    throw new BootableError<SystemErrorCode>(
      'GROUP_MISSING',
      `there is no group with the gid ${wanted.gid} for user ${name}`,
      {
        details: { user: name, gid: wanted.gid },
      },
    )
  }
  const account: Account = {
    ...existing,
    gid: wanted.gid ?? existing.gid,
    gecos: wanted.description ?? existing.gecos,
    home: wanted.home || existing.home,
    shell: wanted.shell ?? existing.shell,
  }
  const before = database.passwd.find(name)
  const fields = passwdFields(account, before?.[1])
  if (before?.join(':') !== fields.join(':')) database.passwd.set(fields)

  const changesPassword = wanted.password !== undefined || wanted.force_password_reset === true
  if (!changesPassword && wanted.expiredate === undefined) return account
  // Without a line there, the password is still the one in passwd.
  const password = before?.[1] === undefined || before[1] === 'x' ? LOCKED : before[1]
  const shadow = [...(database.shadow.find(name) ?? [name, password, '', '', '', '', '', '', ''])]
  if (wanted.password !== undefined) shadow[1] = hashPassword(wanted.password, { seed, user: name })
  if (changesPassword) shadow[2] = lastChange(wanted, mtime)
  if (wanted.expiredate !== undefined) shadow[7] = String(wanted.expiredate)
  database.shadow.set(shadow)
  // A password in passwd itself would win over the one in shadow.
  database.passwd.set(passwdFields(account))
  return account
}

function passwdFields({ name, uid, gid, gecos, home, shell }: Account, password = 'x'): string[] {
  return [name, password, String(uid), String(gid), gecos, home, shell]
}

const DAY = 86_400

/** Day of the last change in shadow(5). 0 asks for a new password, so day 0 itself is left empty. */
function lastChange({ force_password_reset: reset }: UserCustomization, { seconds }: Timestamp): string {
  if (reset) return '0'
  const day = Math.floor(seconds / DAY)
  return day > 0 ? String(day) : ''
}

/** `EXPIRE=2030-12-31` of useradd's defaults as the day that shadow(5) keeps. */
function parseDate(text: string): string {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return ''
  const milliseconds = Date.parse(`${text}T00:00:00Z`)
  return Number.isNaN(milliseconds) ? '' : String(Math.floor(milliseconds / 1000 / DAY))
}

function addRange(file: ColonFile | undefined, name: string, settings: SubordinateSettings): void {
  // shadow-utils leaves a user who has a range already with that one.
  if (!file || settings.count <= 0 || file.find(name)) return
  const start = nextFreeRange(file, settings)
  if (start !== undefined) file.add([name, String(start), String(settings.count)])
}
