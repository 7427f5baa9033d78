import * as z from 'zod'
import type { DirectoryCustomization, FileCustomization } from '../blueprint.ts'
import { canonicalPath, mode, owner } from './values.ts'

const FILE_PARENTS = ['/etc/', '/root/', '/usr/local/bin/', '/usr/local/sbin/']
/** Written by other customizations. */
const REFUSED_FILES = ['/etc/fstab', '/etc/shadow', '/etc/passwd', '/etc/group']

export const file = z.strictObject({
  path: canonicalPath
    .refine((path) => FILE_PARENTS.some((parent) => path.startsWith(parent)), {
      error: 'must be below /etc, /root, /usr/local/bin or /usr/local/sbin',
    })
    .refine((path) => !REFUSED_FILES.includes(path), {
      error: 'is not written as a file: accounts and mounts have customizations of their own',
    }),
  user: owner.exactOptional(),
  group: owner.exactOptional(),
  mode: mode.exactOptional(),
  data: z.string().exactOptional().meta({ description: 'Content of the file' }),
  uri: z.never({ error: 'is not supported for disk images: put the content under "data"' }).exactOptional(),
}) satisfies z.ZodType<FileCustomization>

export const directory = z.strictObject({
  path: canonicalPath.refine((path) => path.startsWith('/etc/'), { error: 'must be below /etc' }),
  user: owner.exactOptional(),
  group: owner.exactOptional(),
  mode: mode.exactOptional(),
  ensure_parents: z.boolean().exactOptional(),
}) satisfies z.ZodType<DirectoryCustomization>
