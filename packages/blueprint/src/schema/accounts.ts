import * as z from 'zod'
import type { GroupCustomization, UserCustomization } from '../blueprint.ts'
import { accountName, id, isCanonicalPath, oneLine, passwdField } from './values.ts'

/** Trailing slashes are cut, as bootc-image-builder does; empty asks for no home. */
const home = passwdField
  .transform((path) => (path === '/' ? path : path.replace(/\/+$/, '')))
  .refine((path) => path === '' || isCanonicalPath(path), { error: 'must be an absolute path, or empty' })

export const user = z.strictObject({
  name: accountName.meta({ description: 'Login name' }),
  description: passwdField.exactOptional().meta({ description: 'Full name (GECOS)' }),
  password: oneLine
    .refine((text) => !/^\$(6|5|2b|y)\$/.test(text) || /^[!-9;-~]+$/.test(text), {
      error: 'looks like a crypt hash but holds a colon, a blank or a character outside ASCII',
    })
    .exactOptional()
    .meta({ description: 'Password, or its crypt hash ($6$, $5$, $2b$, $y$); empty locks it' }),
  key: z.string().exactOptional().meta({ description: 'SSH public keys, one a line' }),
  home: home.exactOptional().meta({ description: 'Home directory; empty for none' }),
  shell: passwdField
    .refine((path) => path === '' || path.startsWith('/'), { error: 'must be an absolute path' })
    .exactOptional(),
  groups: z.array(accountName).exactOptional().meta({ description: 'Supplementary groups' }),
  uid: id.exactOptional(),
  gid: id.exactOptional(),
  expiredate: z.int().min(0).max(2_932_896).exactOptional().meta({
    description: 'Days since 1970 on which the account ends',
  }),
  force_password_reset: z.boolean().exactOptional(),
}) satisfies z.ZodType<UserCustomization>

/** The legacy way to give a key to a user; merged into `user` when loading. */
export const sshkey = z.strictObject({ user: accountName, key: z.string() })

export const group = z.strictObject({
  name: accountName,
  gid: id.exactOptional(),
}) satisfies z.ZodType<GroupCustomization>

/** Refuses two groups of one name or of one gid. */
export function checkGroups(groups: readonly GroupCustomization[], context: z.RefinementCtx): void {
  const seen = new Set<string | number>()
  groups.forEach(({ name, gid }, index) => {
    for (const [key, value] of [
      ['name', name],
      ['gid', gid],
    ] as const) {
      if (value === undefined) continue
      if (seen.has(value)) {
        context.addIssue({ code: 'custom', path: [index, key], message: `stands here twice: ${value}` })
      }
      seen.add(value)
    }
  })
}

/** Refuses two users of one name: the second could only contradict the first. */
export function checkUsers(users: readonly UserCustomization[], context: z.RefinementCtx): void {
  const seen = new Set<string>()
  users.forEach(({ name }, index) => {
    if (seen.has(name)) {
      context.addIssue({ code: 'custom', path: [index, 'name'], message: `stands here twice: ${name}` })
    }
    seen.add(name)
  })
}
