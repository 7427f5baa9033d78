import { readdir, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { isDigest } from '@bootable/oci'
import type { RepositoryRouter } from '../client/route.ts'
import { registryError } from '../errors.ts'
import {
  findRegistryRule,
  parseRegistriesConf,
  type RegistryRule,
  rewriteReference,
} from './registries-conf.ts'

/** Options of {@link routeRegistries}. */
export interface RouteRegistriesOptions {
  /** Folder of the system's `registries.conf` and `registries.conf.d`. @defaultValue `/etc/containers` */
  readonly system?: string
  /** The user's own; what is there counts in place of the system's. @defaultValue `~/.config/containers` */
  readonly user?: string
  /** One file in place of both `registries.conf`. @defaultValue `$CONTAINERS_REGISTRIES_CONF` */
  readonly path?: string
}

/**
 * Mirrors, other places and blocks of containers-registries.conf(5), version 2, and the drop-in files of
 * containers-registries.conf.d(5). They are read once, when the first repository is asked for.
 *
 * @throws BootableError `CONFIGURATION_INVALID`: what forbids a registry must not be overlooked
 */
export function routeRegistries(options: RouteRegistriesOptions = {}): RepositoryRouter {
  let reading: Promise<RegistryRule[]> | undefined
  return async ({ host, repository, reference }) => {
    reading ??= readRules(options)
    const text = `${host}/${repository}${isDigest(reference) ? '@' : ':'}${reference}`
    const found = findRegistryRule(await reading, text)
    if (!found) return undefined
    const { location, insecure, blocked, mirrors, path } = found.rule
    const rewrite = (place: string): string => rewriteReference(text, found.length, place, path)
    if (blocked) return { blocked: path }
    return {
      insecure,
      // A wildcard without a place of its own leaves names as they are.
      ...(location !== undefined && { location: rewrite(location) }),
      mirrors: mirrors.map((mirror) => ({ ...mirror, location: rewrite(mirror.location) })),
    }
  }
}

/** The rules of all files; of two with one prefix that of the later file counts. */
async function readRules(options: RouteRegistriesOptions): Promise<RegistryRule[]> {
  const { CONTAINERS_REGISTRIES_CONF, XDG_CONFIG_HOME } = process.env
  const { system = '/etc/containers', path = CONTAINERS_REGISTRIES_CONF || undefined } = options
  const { user = join(XDG_CONFIG_HOME || join(homedir(), '.config'), 'containers') } = options

  const rules = new Map<string, RegistryRule>()
  const add = async (file: string): Promise<boolean> => {
    const text = await readIfThere(file)
    for (const rule of text === undefined ? [] : parseRegistriesConf(text, file)) rules.set(rule.prefix, rule)
    return text !== undefined
  }
  if (path !== undefined && !(await add(path))) throw unreadable(path, 'ENOENT', undefined)
  // containers-registries.conf.d(5): beside a file of the user's own, the system's drop-ins do not count.
  const isUsers = path === undefined && (await add(join(user, 'registries.conf')))
  if (path === undefined && !isUsers) await add(join(system, 'registries.conf'))
  for (const folder of isUsers ? [user] : [system, user]) {
    for (const file of await dropIns(join(folder, 'registries.conf.d'))) await add(file)
  }
  return [...rules.values()]
}

async function dropIns(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder)
    return names
      .filter((name) => name.endsWith('.conf'))
      .sort()
      .map((name) => join(folder, name))
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return []
    throw unreadable(folder, code, cause)
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw unreadable(path, code, cause)
  }
}

function unreadable(path: string, code: string | undefined, cause: unknown): Error {
  return registryError('CONFIGURATION_INVALID', `${path} cannot be read: ${code}`, { path }, { cause })
}
