import { type IncomingMessage, type RequestOptions, request } from 'node:http'
import { BootableError, collect, KiB } from '@bootable/bytes'
import type { OciErrorCode } from '../wire/errors.ts'

/** Where a Docker daemon listens. */
export interface DockerEndpoint {
  /** For messages; nothing secret is in it. */
  readonly name: string
  readonly connect: Pick<RequestOptions, 'socketPath' | 'host' | 'port'>
}

/** Options of {@link getFromEngine}. */
export interface EngineRequestOptions {
  /** Milliseconds without a byte after which the daemon counts as gone. */
  readonly idleTimeout: number
  readonly signal?: AbortSignal
}

const DEFAULT_HOST = 'unix:///var/run/docker.sock'
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/
/** Of an error's text. */
const MAX_MESSAGE = 64 * KiB

/**
 * A daemon's address in the notation of `DOCKER_HOST`. Plain TCP is spoken with this host alone: whoever
 * reads along would own the daemon.
 * @throws BootableError `DAEMON_UNAVAILABLE`
 */
export function parseDockerHost(text: string = process.env.DOCKER_HOST || DEFAULT_HOST): DockerEndpoint {
  const unix = /^unix:\/\/(\/.*)$/s.exec(text)?.[1]
  if (unix !== undefined) return { name: `unix://${unix}`, connect: { socketPath: unix } }
  const [, host = '', port = '2375'] =
    /^(?:tcp|http):\/\/(\[[0-9a-fA-F:]+\]|[^/:@[\]]+)(?::(\d{1,5}))?\/?$/.exec(text) ?? []
  if (LOOPBACK.test(host)) {
    return {
      name: `tcp://${host}:${port}`,
      connect: { host: host.replace(/^\[|\]$/g, ''), port: Number(port) },
    }
  }
  // Not the whole address: it may hold a password.
  const scheme = /^[a-z+]{1,20}(?=:)/.exec(text)?.[0] ?? 'no'
  throw new BootableError<OciErrorCode>(
    'DAEMON_UNAVAILABLE',
    host === '' ? `DOCKER_HOST has ${scheme} address that is spoken here` : `${host} is another machine`,
    {
      details: { scheme, ...(host !== '' && { host }) },
      hint: 'unix:///path and tcp:// of this host are understood; forward the socket with "ssh -L", or use "docker save" there',
    },
  )
}

/**
 * Asks a daemon for something: Docker Engine API, without a version, so that each daemon answers as its own.
 * @throws BootableError `DAEMON_UNAVAILABLE`, `DAEMON_FAILED`; `REFERENCE_UNKNOWN` for status 404
 */
export async function getFromEngine(
  { name, connect }: DockerEndpoint,
  path: string,
  { idleTimeout, signal }: EngineRequestOptions,
): Promise<IncomingMessage> {
  signal?.throwIfAborted()
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const call = request({
      ...connect,
      path,
      method: 'GET',
      headers: { Host: 'docker', Connection: 'close' },
      agent: false,
      timeout: idleTimeout,
      ...(signal && { signal }),
    })
    // The same timer watches the body: the socket is what is idle.
    call.on('timeout', () => call.destroy(new Error(`nothing came for ${idleTimeout / 1000} seconds`)))
    call.on('response', resolve)
    call.on('error', (cause) => reject(signal?.aborted ? signal.reason : unreachable(name, cause)))
    call.end()
  })
  const { statusCode = 0 } = response
  if (statusCode === 200) return response
  const message = await readMessage(response)
  if (statusCode === 404) {
    throw new BootableError<OciErrorCode>('REFERENCE_UNKNOWN', `the Docker daemon at ${name}: ${message}`, {
      details: { daemon: name, status: statusCode },
      hint: '"docker images" lists what is there; an image that is not must be pulled first',
    })
  }
  throw engineFailed(name, `it answered with status ${statusCode}: ${message}`, { status: statusCode })
}

async function readMessage(response: IncomingMessage): Promise<string> {
  try {
    const text = new TextDecoder().decode(await collect(response, MAX_MESSAGE))
    const { message } = JSON.parse(text) as { message?: unknown }
    return String(message)
      .replace(/\p{Cc}/gu, ' ')
      .slice(0, 300)
  } catch {
    return 'no reason was given'
  } finally {
    response.destroy()
  }
}

/** What a daemon that answered did wrong. */
export function engineFailed(
  daemon: string,
  message: string,
  details: Readonly<Record<string, unknown>> = {},
  cause?: unknown,
): BootableError<OciErrorCode> {
  return new BootableError('DAEMON_FAILED', `the Docker daemon at ${daemon}: ${message}`, {
    details: { daemon, ...details },
    hint: 'its own log says why; try again, or write a file with "docker save"',
    ...(cause !== undefined && { cause }),
  })
}

function unreachable(daemon: string, cause: Error): BootableError<OciErrorCode> {
  const { code } = cause as NodeJS.ErrnoException
  const hints: Readonly<Record<string, string>> = {
    ENOENT:
      'is it running? DOCKER_HOST names another socket, such as unix:///run/user/1000/podman/podman.sock',
    ECONNREFUSED: 'nobody listens there: start the daemon',
    EACCES: 'the socket is for root and the group docker: join it, or use a rootless daemon',
  }
  const hint = hints[code ?? '']
  return new BootableError('DAEMON_UNAVAILABLE', `no Docker daemon at ${daemon}: ${cause.message}`, {
    details: { daemon, ...(code !== undefined && { code }) },
    ...(hint !== undefined && { hint }),
    cause,
  })
}
