import * as z from 'zod'
import { checkGroups, checkUsers, group, sshkey, user } from './accounts.ts'
import { bootloader } from './bootloader.ts'
import { disk } from './disk.ts'
import { directory, file } from './files.ts'
import { checkFilesystems, filesystem } from './filesystem.ts'
import { oneLine } from './values.ts'

/** Keys that osbuild knows and that do nothing for a bootable container: taken, and warned about. */
export const UNSUPPORTED_CUSTOMIZATIONS = [
  'cacerts',
  'containers-storage',
  'dnf',
  'fdo',
  'firewall',
  'firstboot',
  'hostname',
  'installation_device',
  'locale',
  'openscap',
  'partitioning_mode',
  'repositories',
  'rhsm',
  'rpm',
  'services',
  'sshd',
  'timezone',
] as const

/** The same at the top level: they describe an operating system made of packages. */
export const UNSUPPORTED_TOP_LEVEL = [
  'architecture',
  'containers',
  'distro',
  'enabled_modules',
  'groups',
  'modules',
  'packages',
] as const

function anything<const Keys extends readonly string[]>(
  keys: Keys,
): Record<Keys[number], z.ZodExactOptional<z.ZodUnknown>> {
  const shape = keys.map((key) => [
    key,
    z.unknown().exactOptional().meta({ deprecated: true, description: 'Ignored for bootable containers' }),
  ])
  return Object.fromEntries(shape)
}

const strings = z.array(z.string())

export const customizations = z
  .strictObject({
    user: z.array(user).superRefine(checkUsers).exactOptional(),
    group: z.array(group).superRefine(checkGroups).exactOptional(),
    sshkey: z.array(sshkey).exactOptional().meta({ deprecated: true, description: 'Use "key" of a user' }),
    kernel: z
      .strictObject({
        append: oneLine.exactOptional().meta({ description: 'Words for the kernel command line' }),
        name: z.unknown().exactOptional().meta({ deprecated: true, description: 'Ignored' }),
      })
      .exactOptional(),
    bootloader: bootloader.exactOptional(),
    filesystem: z.array(filesystem).superRefine(checkFilesystems).exactOptional(),
    disk: disk.exactOptional(),
    files: z.array(file).exactOptional(),
    directories: z.array(directory).exactOptional(),
    ignition: z
      .strictObject({
        firstboot: z
          .strictObject({
            // It becomes a word of the kernel command line.
            url: z
              .url()
              .regex(/^[^\s"]*$/, { error: 'must not hold blanks or quotes: write them as %20 and %22' })
              .exactOptional(),
            empty: z.boolean().exactOptional(),
          })
          .refine(({ url, empty }) => (url !== undefined) !== (empty === true), {
            error: 'must have either a url or empty = true',
          }),
      })
      .exactOptional(),
    updates: z
      .strictObject({
        enabled: z
          .boolean()
          .exactOptional()
          .meta({ description: 'Turns the timer bootc-fetch-apply-updates on or off' }),
      })
      .exactOptional()
      .meta({ description: 'Automatic updates: an extension of bootable, unknown to osbuild' }),
    installer: z
      .strictObject({
        unattended: z.boolean().exactOptional(),
        'sudo-nopasswd': strings.exactOptional(),
        kickstart: z.strictObject({ contents: z.string() }).exactOptional(),
        modules: z
          .strictObject({ enable: strings.exactOptional(), disable: strings.exactOptional() })
          .exactOptional(),
      })
      .exactOptional(),
    fips: z.boolean().exactOptional(),
    iso: z
      .strictObject({
        volume_id: z
          .string()
          .regex(/^[\w-]+$/, { error: 'must be letters, digits, _ and -' })
          .exactOptional(),
        application_id: z.unknown().exactOptional().meta({ deprecated: true, description: 'Ignored' }),
        publisher: z.unknown().exactOptional().meta({ deprecated: true, description: 'Ignored' }),
      })
      .exactOptional(),
    ...anything(UNSUPPORTED_CUSTOMIZATIONS),
  })
  .superRefine((value, context) => {
    if (value.disk && value.filesystem) {
      context.addIssue({ code: 'custom', path: ['filesystem'], message: 'cannot stand together with "disk"' })
    }
    const { kickstart, unattended } = value.installer ?? {}
    if (!kickstart) return
    const clashes = [
      ['user', value.user],
      ['group', value.group],
      ['installer.unattended', unattended],
      ['installer.sudo-nopasswd', value.installer?.['sudo-nopasswd']],
    ] as const
    for (const [key, present] of clashes) {
      if (present === undefined) continue
      context.addIssue({
        code: 'custom',
        path: ['installer', 'kickstart'],
        message: `cannot stand together with "${key}": the kickstart has the last word`,
      })
    }
  })

export const document = z
  .strictObject({
    name: z.string().exactOptional(),
    description: z.string().exactOptional(),
    version: z.string().exactOptional(),
    customizations: customizations.exactOptional(),
    ...anything(UNSUPPORTED_TOP_LEVEL),
  })
  .meta({ title: 'Blueprint', description: 'How a machine made from a bootable container is customised' })
