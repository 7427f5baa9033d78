import type { GroupCustomization } from '@bootable/blueprint'
import { BootableError } from '@bootable/bytes'
import type { SystemErrorCode } from '../errors.ts'
import type { AccountDatabase } from './database.ts'
import { findGroup, findGroupName, usedIds } from './database.ts'
import { nextFreeId } from './ids.ts'

/**
 * Makes a group as `groupadd` does. A group that is there, with that gid or with none asked for, is fine.
 * @throws BootableError `GROUP_INVALID`, `IDS_EXHAUSTED`
 */
export function addGroup(database: AccountDatabase, { name, gid }: GroupCustomization): void {
  const existing = findGroup(database, name)
  if (existing !== undefined) {
    if (gid === undefined || gid === existing) return
    throw new BootableError<SystemErrorCode>(
      'GROUP_INVALID',
      `group ${name} has the gid ${existing} in the image, the blueprint asks for ${gid}`,
      { details: { group: name, existing, gid } },
    )
  }
  const owner = gid === undefined ? undefined : findGroupName(database, gid)
  if (owner !== undefined) {
    throw new BootableError<SystemErrorCode>(
      'GROUP_INVALID',
      `gid ${gid} of group ${name} belongs to ${owner}`,
      {
        details: { group: name, gid, owner },
      },
    )
  }
  appendGroup(database, name, gid ?? nextGid(database))
}

/** The gid that the next group gets: `preferred`, if it lies between the limits and nobody has it. */
export function nextGid({ group, altGroup, settings }: AccountDatabase, preferred?: number): number {
  const used = usedIds(group, altGroup)
  const { gidMin, gidMax } = settings
  const allowed =
    preferred !== undefined && preferred >= gidMin && preferred <= gidMax && !used.has(preferred)
  return allowed ? preferred : nextFreeId(used, gidMin, gidMax)
}

export function appendGroup({ group, gshadow }: AccountDatabase, name: string, gid: number): void {
  group.add([name, gshadow ? 'x' : '!', String(gid), ''])
  // A leftover line of that name in gshadow is taken over.
  gshadow?.set([name, '!', '', ''])
}

/**
 * Adds a user to a group. A group of the image's own file is copied to `/etc/group` first: only the first
 * file that has a group says who is in it.
 *
 * @throws BootableError `GROUP_MISSING`
 */
export function addMember(database: AccountDatabase, group: string, user: string): void {
  const fields = database.group.find(group) ?? database.altGroup.find(group)
  if (!fields) throw missingGroup(database, group, user)
  database.group.set([...fields.slice(0, 3), withMember(fields[3], user)])
  const shadow = database.gshadow?.find(group)
  if (shadow) database.gshadow?.set([...shadow.slice(0, 3), withMember(shadow[3], user)])
}

function withMember(list: string | undefined, user: string): string {
  const members = (list ?? '').split(',').filter((name) => name !== '')
  return members.includes(user) ? members.join(',') : [...members, user].join(',')
}

function missingGroup(
  database: AccountDatabase,
  group: string,
  user: string,
): BootableError<SystemErrorCode> {
  const administrators = ['wheel', 'sudo'].filter((name) => findGroup(database, name) !== undefined)
  const hint =
    ['wheel', 'sudo'].includes(group) && administrators.length > 0
      ? `the administrators of this image are the group ${administrators.join(' or ')}`
      : `add it under customizations.group, or choose a group of the image`
  return new BootableError(
    'GROUP_MISSING',
    `user ${user} should be in the group ${group}, which does not exist`,
    {
      details: { user, group, administrators },
      hint,
    },
  )
}
