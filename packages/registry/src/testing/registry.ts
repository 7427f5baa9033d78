import { portableRuntime } from '@bootable/bytes'
import type { ImageStore } from '@bootable/oci'
import { systemClock } from '../clock.ts'
import type { Transport } from '../http/transport.ts'
import { answer, type Call, chunksOf, failure, withBody } from './answer.ts'
import { createGate, TOKEN_PATH } from './authentication.ts'
import type { Context } from './context.ts'
import { allowOrigin, preflight } from './cors.ts'
import type { TestFault } from './fault.ts'
import { afterAnswer, beforeAnswer, createFaultRules } from './fault-rules.ts'
import type { TestRegistryOptions } from './options.ts'
import { createRateLimit } from './rate-limit.ts'
import { findRoute } from './routes.ts'
import { createStorage } from './storage.ts'
import { repositoryView } from './store.ts'
import { createTransport } from './transport.ts'

/** A request that the registry got. Credentials are in it: a test wants to see where they went. */
export interface TestRegistryRequest {
  readonly method: string
  /** With its query. */
  readonly path: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Of the answer; missing while there is none, and when the connection broke before it. */
  readonly status?: number
  /** Kinds of the faults that it met. */
  readonly faults: readonly string[]
}

/** A registry that lives in this process: distribution-spec 1.1, in memory, with faults on demand. */
export interface TestRegistry {
  /**
   * Answers a request: the listener of `Deno.serve`, Bun and service workers. A connection that a fault
   * breaks before there is an answer is `Response.error()`; one that breaks later is an error of the body.
   */
  handle(request: Request): Promise<Response>
  /** Answers a client of this package without a socket. Any host leads here. */
  readonly transport: Transport
  /** Everything that was asked, in the order of arrival. It may be emptied. */
  readonly requests: TestRegistryRequest[]
  /**
   * Lets something go wrong from now on.
   * @returns takes it back
   * @throws BootableError `FAULT_INVALID`
   */
  addFault(fault: TestFault): () => void
  /** What a repository holds, past HTTP, logins and faults: to fill it, and to look what has arrived. */
  store(repository: string): ImageStore
}

/**
 * Creates a registry for tests, empty.
 * @throws BootableError `FAULT_INVALID`
 */
export function createTestRegistry(options: TestRegistryOptions = {}): TestRegistry {
  const { runtime = portableRuntime, clock = systemClock, warnings = [] } = options
  const storage = createStorage()
  const gate = createGate(options.auth, clock)
  const rules = createFaultRules(options.faults ?? [])
  const rateLimit = createRateLimit(options.rateLimit, clock)
  const requests: TestRegistryRequest[] = []
  const context: Context = {
    storage,
    options,
    runtime,
    clock,
    mayPull: (call, name) =>
      gate.check(call, [{ type: 'repository', name, actions: ['pull'] }]) === undefined,
  }

  async function respond(call: Call): Promise<Response> {
    if (options.cors && call.method === 'OPTIONS') return preflight(call)
    if (call.url.pathname === TOKEN_PATH) return gate.issueToken(call)
    const route = findRoute(call)
    if (route instanceof Response) return route
    const refused = route.isOpen ? undefined : gate.check(call, route.scopes)
    if (refused) return refused
    return rateLimit.apply(call, () => route.respond(context))
  }

  async function converse(call: Call): Promise<Response> {
    const faults = rules.take(call)
    const entry = {
      method: call.method,
      path: call.url.pathname + call.url.search,
      headers: recordOf(call.headers),
      faults: faults.map(({ kind }) => kind),
    }
    const index = requests.push(entry) - 1
    const before = await beforeAnswer(call, faults, clock)
    let response = before instanceof Response ? before : await answerTo(before)
    if (response.type === 'error') return response
    if (call.method === 'HEAD') response = withBody(response, undefined)
    for (const warning of warnings) response.headers.append('Warning', `299 - "${warning}"`)
    if (call.url.pathname.startsWith('/v2/')) {
      response.headers.set('Docker-Distribution-API-Version', 'registry/2.0')
    }
    if (options.cors) allowOrigin(response)
    if (before !== response) response = afterAnswer(response, faults)
    if (requests[index] === entry) requests[index] = { ...entry, status: response.status }
    return response
  }

  /** A request whose body breaks has no answer. */
  async function answerTo(call: Call): Promise<Response> {
    let hasBroken = false
    const body = watch(call.body, () => {
      hasBroken = true
    })
    try {
      return await respond({ ...call, body })
    } catch (error) {
      if (hasBroken) return Response.error()
      const message = error instanceof Error ? error.message : String(error)
      return failure(500, 'UNSUPPORTED', `the test registry failed: ${message}`)
    }
  }

  return {
    async handle(request) {
      const { method, headers, body } = request
      const url = new URL(request.url)
      return method === 'TRACE' ? answer(405) : converse({ method, url, headers, body: chunksOf(body) })
    },
    transport: createTransport(converse),
    requests,
    addFault: rules.add,
    store: (repository) => repositoryView(storage, repository, runtime),
  }
}

async function* watch(body: AsyncIterable<Uint8Array>, onBreak: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (error) {
    onBreak()
    throw error
  }
}

function recordOf(headers: Headers): Record<string, string> {
  const record: Record<string, string> = {}
  headers.forEach((value, name) => {
    record[name] = value
  })
  return record
}
