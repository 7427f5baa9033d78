import { afterEach, describe } from 'vitest'
import {
  type Clock,
  fetchTransport,
  type RegistryEvent,
  type RegistryOptions,
  type RepositoryStore,
  registryStore,
  type Transport,
} from '../../src/index.ts'
import { nodeTransport } from '../../src/node/index.ts'

/** A clock on which delays take no time; it shows how long they would have been. */
export interface TestClock extends Clock {
  readonly delays: number[]
  advance(milliseconds: number): void
}

export function testClock(): TestClock {
  let time = 0
  const delays: number[] = []
  return {
    delays,
    now: () => time,
    advance(milliseconds) {
      time += milliseconds
    },
    async sleep(milliseconds, signal) {
      signal?.throwIfAborted()
      delays.push(milliseconds)
      time += milliseconds
    },
  }
}

/** A store, and everything that it says. */
export interface TestStore {
  readonly store: RepositoryStore
  readonly events: RegistryEvent[]
  readonly clock: TestClock
}

/** Opens `lab/image` of a server, with delays that take no time. */
export function openTestStore(host: string, options: RegistryOptions = {}): TestStore {
  const events: RegistryEvent[] = []
  const clock = testClock()
  const store = registryStore(`docker://${host}/lab/image`, {
    clock,
    onEvent: (event) => events.push(event),
    ...options,
  })
  return { store, events, clock }
}

/** Runs the same tests over each transport. */
export function overEachTransport(tests: (transport: Transport) => void): void {
  describe('fetch', () => tests(fetchTransport()))
  describe('node:http', () => {
    const transport = nodeTransport()
    afterEach(() => transport.close?.())
    tests(transport)
  })
}

/** All bytes of a stream, as text. */
export async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString('latin1')
}
