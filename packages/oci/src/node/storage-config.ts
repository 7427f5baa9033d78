import { readFile, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { BootableError } from '@bootable/bytes'
import { parse } from 'smol-toml'
import type { OciErrorCode } from '../wire/errors.ts'

/** How a storage keeps the files of its layers. Others (btrfs, zfs) keep them where only they can look. */
export type StorageDriver = 'overlay' | 'vfs'

/** Where images are kept: the first folder is the one that is written to, the others are only read. */
export interface StorageLocation {
  readonly driver: StorageDriver
  readonly roots: readonly string[]
}

/** What of the host decides where the storage is. */
export interface StorageHost {
  /** @defaultValue `process.env` */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Whether the storage of root is meant. @defaultValue whether this process is root */
  readonly rootful?: boolean
  /** Folder in place of `/`, below which the files of the system are looked for. @defaultValue `/` */
  readonly systemRoot?: string
}

/** The keys of storage.conf(5) that say where images are. */
interface StorageConf {
  readonly driver?: string
  readonly graphroot?: string
  readonly imagestore?: string
  readonly rootlessStoragePath?: string
  readonly additionalImageStores: readonly string[]
}

const DRIVERS: readonly StorageDriver[] = ['overlay', 'vfs']
const isDriver = (name: string): name is StorageDriver => (DRIVERS as readonly string[]).includes(name)

/**
 * Where the storage is that podman, buildah and skopeo would use.
 *
 * @param specification what stands in the brackets of containers-transports(5),
 *   `[driver@]graphroot[+runroot][:options]`; without it storage.conf(5) decides: the file that
 *   `CONTAINERS_STORAGE_CONF` names, that of the user, that of the system, that of the distribution
 * @throws BootableError `STORAGE_UNAVAILABLE`
 */
export async function locateStorage(
  specification?: string,
  host: StorageHost = {},
): Promise<StorageLocation> {
  if (specification !== undefined) return parseSpecification(specification)
  const { env = process.env, rootful = process.getuid?.() === 0 } = host
  const conf = await readConf(env, rootful, host.systemRoot ?? '/')
  const expand = (path: string): string => expandVariables(path, env)
  const graphroot = expand(conf.graphroot ?? '')
  const driver = env.STORAGE_DRIVER || conf.driver || undefined
  const roots = [graphroot, ...(conf.imagestore ? [expand(conf.imagestore)] : [])]
  return {
    driver: await chooseDriver(driver, graphroot),
    roots: [...roots, ...conf.additionalImageStores.map(expand)],
  }
}

async function parseSpecification(specification: string): Promise<StorageLocation> {
  const [, driver, graphroot = ''] = /^(?:([a-z0-9]+)@)?([^+:]*)/.exec(specification) ?? []
  if (!graphroot.startsWith('/')) {
    throw unavailable(`${JSON.stringify(specification)} names no storage`, {
      details: { specification },
      hint: 'write [overlay@/var/lib/containers/storage+/run/containers/storage]name:tag',
    })
  }
  return { driver: await chooseDriver(driver, graphroot), roots: [graphroot] }
}

/** Without a driver that was named, the one whose records are there. */
async function chooseDriver(driver: string | undefined, graphroot: string): Promise<StorageDriver> {
  if (driver !== undefined && isDriver(driver)) return driver
  // `overlay2` is another name of overlay: containers/storage, drivers/overlay.
  if (driver === 'overlay2') return 'overlay'
  if (driver !== undefined) {
    throw unavailable(`layers of the storage driver ${driver} cannot be read`, {
      details: { driver },
      hint: 'save the image with "podman save --format oci-archive" and read the archive',
    })
  }
  for (const each of DRIVERS) {
    if (await stat(join(graphroot, `${each}-images`)).catch(() => undefined)) return each
  }
  return 'overlay'
}

async function readConf(
  env: NonNullable<StorageHost['env']>,
  rootful: boolean,
  systemRoot: string,
): Promise<StorageConf> {
  const system = [
    join(systemRoot, 'etc/containers/storage.conf'),
    join(systemRoot, 'usr/share/containers/storage.conf'),
  ]
  const named = env.CONTAINERS_STORAGE_CONF
  if (named) {
    const conf = await parseConf(named)
    if (!conf)
      throw unavailable(`CONTAINERS_STORAGE_CONF names ${named}, which is not there`, {
        details: { path: named },
      })
    return { ...conf, graphroot: conf.graphroot ?? defaultRoot(env, rootful, systemRoot) }
  }
  if (rootful) {
    const conf = await firstConf(system)
    return { ...conf, graphroot: conf.graphroot ?? defaultRoot(env, true, systemRoot) }
  }
  const config = env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config')
  const own = await parseConf(join(config, 'containers/storage.conf'))
  const shared = await firstConf(system)
  // The graphroot of the system is root's; a user has the one of the system's rootless_storage_path.
  const graphroot = own?.graphroot ?? own?.rootlessStoragePath ?? shared.rootlessStoragePath
  return { ...(own ?? shared), graphroot: graphroot ?? defaultRoot(env, false, systemRoot) }
}

async function firstConf(paths: readonly string[]): Promise<StorageConf> {
  for (const path of paths) {
    const conf = await parseConf(path)
    if (conf) return conf
  }
  return { additionalImageStores: [] }
}

function defaultRoot(env: NonNullable<StorageHost['env']>, rootful: boolean, systemRoot: string): string {
  if (rootful) return join(systemRoot, 'var/lib/containers/storage')
  return join(env.XDG_DATA_HOME || join(env.HOME || homedir(), '.local/share'), 'containers/storage')
}

async function parseConf(path: string): Promise<StorageConf | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw unavailable(`cannot read ${path}: ${(cause as Error).message}`, { details: { path }, cause })
  }
  try {
    const storage = table(parse(text).storage)
    const options = table(storage.options)
    const stores = options.additionalimagestores
    return {
      ...strings(storage, { driver: 'driver', graphroot: 'graphroot', imagestore: 'imagestore' }),
      ...strings(storage, { rootlessStoragePath: 'rootless_storage_path' }),
      additionalImageStores: Array.isArray(stores)
        ? stores.filter((each) => typeof each === 'string' && each !== '').map(String)
        : [],
    }
  } catch (cause) {
    throw unavailable(`${path} is not TOML: ${(cause as Error).message.split('\n')[0]}`, {
      details: { path },
      cause,
    })
  }
}

function table(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

/** Those keys that hold text; an empty one counts as left out, as in the files that distributions ship. */
function strings(
  from: Record<string, unknown>,
  names: Readonly<Record<string, string>>,
): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [name, key] of Object.entries(names)) {
    const value = from[key]
    if (typeof value === 'string' && value !== '') found[name] = value
  }
  return found
}

/** `$HOME`, `$UID` and others in a path: storage.conf(5), `rootless_storage_path`. */
function expandVariables(path: string, env: NonNullable<StorageHost['env']>): string {
  const values: Record<string, string | undefined> = {
    HOME: homedir(),
    UID: String(process.getuid?.() ?? ''),
    ...env,
  }
  return path.replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced?: string, plain?: string) => {
    return values[braced ?? plain ?? ''] ?? whole
  })
}

function unavailable(
  message: string,
  options: { details: Record<string, unknown>; hint?: string; cause?: unknown },
): BootableError<OciErrorCode> {
  return new BootableError('STORAGE_UNAVAILABLE', message, options)
}
