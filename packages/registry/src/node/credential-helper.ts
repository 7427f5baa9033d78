import { spawn } from 'node:child_process'
import type { Credential } from '../auth/credentials.ts'
import { registryError } from '../errors.ts'

/** Options of {@link runCredentialHelper}. */
export interface CredentialHelperOptions {
  /** Milliseconds before the program is killed: it may be waiting for a person. @defaultValue 30 000 */
  readonly timeout?: number
  readonly signal?: AbortSignal
}

/** A credential has no use for more. */
const MAX_OUTPUT = 64 * 1024

/**
 * Asks `docker-credential-<name> get` for a login: the protocol of docker-credential-helpers, with the key on
 * standard input and JSON on standard output.
 *
 * Nothing that the program says goes into an error, since what it says are secrets.
 * @returns `undefined` where it knows none
 * @throws BootableError `CREDENTIALS_UNREADABLE`
 */
export async function runCredentialHelper(
  name: string,
  key: string,
  options: CredentialHelperOptions = {},
): Promise<Credential | undefined> {
  const program = `docker-credential-${name}`
  // It is a name, not a path to anything that lies around.
  if (!/^[\w.-]+$/.test(name)) throw unreadable(program, 'the name of a helper has no such characters')
  const { status, stdout } = await runProgram(program, key, options)
  if (status !== 0) {
    // The helpers share this sentence, and Docker itself looks for it.
    if (/credentials not found/i.test(stdout)) return undefined
    throw unreadable(program, `it ended with status ${status}`)
  }
  return parseAnswer(program, stdout)
}

function parseAnswer(program: string, stdout: string): Credential | undefined {
  let answer: { Username?: unknown; Secret?: unknown } | null
  try {
    answer = JSON.parse(stdout)
  } catch {
    throw unreadable(program, 'its answer is not JSON')
  }
  const { Username: username, Secret: secret } = answer ?? {}
  if (typeof username !== 'string' || typeof secret !== 'string') {
    throw unreadable(program, 'its answer has no Username and Secret')
  }
  if (username === '' && secret === '') return undefined
  // This user name marks an OAuth2 refresh token.
  if (username === '<token>') return { type: 'identity-token', token: secret }
  return { type: 'password', username, password: secret }
}

function runProgram(
  program: string,
  input: string,
  { timeout = 30_000, signal }: CredentialHelperOptions,
): Promise<{ status: number; stdout: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      timeout,
      killSignal: 'SIGKILL',
      ...(signal && { signal }),
    })
    const chunks: Buffer[] = []
    let length = 0
    child.stdout.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length > MAX_OUTPUT) {
        child.kill('SIGKILL')
        reject(unreadable(program, `its answer is longer than ${MAX_OUTPUT} bytes`))
      }
      chunks.push(chunk)
    })
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (signal?.aborted) return reject(signal.reason)
      reject(unreadable(program, error.code === 'ENOENT' ? 'it is not installed' : `${error.code}`))
    })
    child.on('close', (status, killedBy) => {
      if (killedBy) return reject(unreadable(program, `it did not answer within ${timeout} ms`))
      resolve({ status: status ?? -1, stdout: Buffer.concat(chunks).toString('utf8') })
    })
    // A helper that does not read its input closes the pipe; its status tells what matters.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}

function unreadable(program: string, reason: string): Error {
  const message = `no credentials from ${program}: ${reason}`
  return registryError(
    'CREDENTIALS_UNREADABLE',
    message,
    { program },
    {
      hint: `try \`${program} list\`, or take the helper out of the configuration file`,
    },
  )
}
