import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { findTool, runOk } from './oracles.ts'

/** How the registry asks who one is. Nobody is asked without it. */
export type DockerRegistryAuth =
  | { readonly type: 'htpasswd'; readonly username: string; readonly password: string }
  | {
      readonly type: 'token'
      readonly realm: string
      readonly service: string
      readonly issuer: string
      /** Path of a PEM file with the certificates that tokens may be signed by. */
      readonly certificates: string
    }

/** A running docker-registry on the loopback interface. */
export interface DockerRegistry {
  /** For references: `127.0.0.1:41237`. */
  readonly host: string
  /** Stops it and removes what it stored. */
  close(): Promise<void>
}

/** Options of {@link startDockerRegistry}. */
export interface DockerRegistryOptions {
  readonly auth?: DockerRegistryAuth
  /** `Location` without scheme and host. */
  readonly relativeUrls?: boolean
  /** Paths of PEM files; without them it is plain HTTP. `clientcas`: authorities of clients, who then need one. */
  readonly tls?: {
    readonly certificate: string
    readonly key: string
    readonly clientcas?: readonly string[]
  }
}

/** Starts the real docker-registry (distribution 2.8) with an empty storage of its own. */
export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const folder = mkdtempSync(join(tmpdir(), 'bootable-registry-'))
  const host = `127.0.0.1:${await freePort()}`
  // JSON is YAML. Debian's own configuration would demand a password file and listen everywhere.
  const configuration = {
    version: '0.1',
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(folder, 'storage') }, delete: { enabled: true } },
    http: {
      addr: host,
      secret: 'of-no-use',
      relativeurls: options.relativeUrls ?? false,
      ...(options.tls && { tls: options.tls }),
    },
    ...(options.auth && { auth: await authSection(options.auth, folder) }),
  }
  const path = join(folder, 'config.yml')
  writeFileSync(path, JSON.stringify(configuration))
  const child = spawn(findTool('docker-registry') ?? 'docker-registry', ['serve', path], {
    env: { PATH: process.env.PATH ?? '', OTEL_TRACES_EXPORTER: 'none' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4000)
  })
  const close = async (): Promise<void> => {
    await stop(child)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await untilListening(host, child)
  } catch (cause) {
    await close()
    throw new Error(`docker-registry did not start: ${said}`, { cause })
  }
  return { host, close }
}

async function authSection(auth: DockerRegistryAuth, folder: string): Promise<object> {
  if (auth.type === 'token') {
    const { realm, service, issuer, certificates } = auth
    return { token: { realm, service, issuer, rootcertbundle: certificates } }
  }
  // It knows bcrypt (-B) only.
  const { stdout } = await runOk('htpasswd', ['-Bbn', auth.username, auth.password])
  const path = join(folder, 'htpasswd')
  writeFileSync(path, stdout)
  return { htpasswd: { realm: 'loopback', path } }
}

async function untilListening(host: string, child: ChildProcess): Promise<void> {
  const [hostname, port] = host.split(':')
  for (let attempt = 0; ; attempt++) {
    if (child.exitCode !== null) throw new Error(`exit status ${child.exitCode}`)
    const socket = connect(Number(port), hostname)
    try {
      await once(socket, 'connect')
      return
    } catch (error) {
      if (attempt === 100) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    } finally {
      socket.destroy()
    }
  }
}

function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    child.on('exit', () => resolve())
    child.kill('SIGTERM')
  })
}
