import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { nodeRuntime } from '@bootable/bytes/node'
import { copyImage, openImage } from '@bootable/oci'
import { createLayout, openLayout } from '@bootable/oci/node'
import { type RegistryEvent, type RegistryOptions, registryStore } from '@bootable/registry'
import { nodeRegistryOptions } from '@bootable/registry/node'
import { createTestRegistry, type TestFault } from '@bootable/registry/testing'
import { serveTestRegistry } from '@bootable/registry/testing/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type DockerRegistry, startDockerRegistry } from '../../tooling/docker-registry.ts'
import { type FaultProxyOptions, startFaultProxy } from '../../tooling/fault-proxy.ts'
import { tarOf, writeLayout } from '../../tooling/images.ts'
import { oracle, runOk, temporaryFolder } from '../../tooling/oracles.ts'

/**
 * A row: what goes wrong with the first GET of each blob (429: of any), and between which times a copy is
 * complete.
 */
interface Row {
  readonly name: string
  readonly proxy: Omit<FaultProxyOptions, 'host'>
  readonly faults: readonly TestFault[]
  /** Milliseconds. */
  readonly least?: number
  readonly most: number
  readonly code?: string
}

const match = { method: 'GET', path: '/blobs/', perPath: true } as const
const later = { ...match, after: 1, times: 100 } as const
const IDLE = 500

const ROWS: readonly Row[] = [
  { name: 'cut', proxy: { fault: 'cut' }, faults: [{ kind: 'cut', at: '50%', match }], most: 1_500 },
  {
    name: 'cut, then Range ignored',
    proxy: { fault: 'cut', ignoreRange: true },
    faults: [
      { kind: 'cut', at: '50%', match },
      { kind: 'ignore-range', match: later },
    ],
    most: 1_500,
  },
  {
    name: 'one byte flipped, once',
    proxy: { fault: 'flip' },
    faults: [{ kind: 'flip', at: '50%', match }],
    most: 1_500,
  },
  {
    name: 'one byte flipped, always',
    proxy: { fault: 'flip', always: true },
    faults: [{ kind: 'flip', at: '50%', match: { ...match, times: 100 } }],
    most: 1_500,
    code: 'DIGEST_MISMATCH',
  },
  ...(['503', '500'] as const).map(
    (fault): Row => ({
      name: `${fault} once`,
      proxy: { fault },
      faults: [{ kind: 'status', status: Number(fault), match }],
      most: 2_000,
    }),
  ),
  {
    name: '429 with Retry-After 3',
    proxy: { fault: '429' },
    faults: [{ kind: 'status', status: 429, headers: { 'Retry-After': '3' }, match: { path: '/blobs/' } }],
    least: 3_000,
    most: 4_500,
  },
  {
    name: 'a stall with the socket open',
    proxy: { fault: 'stall' },
    faults: [{ kind: 'stall', at: '50%', match }],
    least: IDLE,
    most: IDLE + 2_500,
  },
]

const folder = temporaryFolder()
const layout = join(folder, 'layout')
beforeAll(() => {
  // With the configuration four blobs, as many as are fetched at once.
  const layers = [200_000, 700_000, 3_000_001].map((size) => ({
    tar: tarOf([{ name: 'file', data: randomBytes(size) }]),
  }))
  writeLayout(layout, { layers })
})

let count = 0

/** Pulls into a fresh layout, and checks what the row promises. */
async function pull(host: string, { least = 0, most, code }: Row): Promise<RegistryEvent[]> {
  const events: RegistryEvent[] = []
  const options: RegistryOptions = {
    ...nodeRegistryOptions(),
    credentials: async () => undefined,
    timeouts: { idle: IDLE },
    onEvent: (event) => events.push(event),
  }
  const store = registryStore(`${host}/lab/image:one`, options)
  const target = await createLayout(join(folder, String(count++)))
  const start = performance.now()
  const copying = copyImage({ store, reference: '' }, target, 'one')
  if (code) await expect(copying).rejects.toMatchObject({ code })
  else {
    const { digest } = await copying
    expect(digest).toBe((await (await openLayout(layout)).resolve('latest')).digest)
  }
  const time = performance.now() - start
  expect(time).toBeGreaterThanOrEqual(least)
  expect(time).toBeLessThan(most)
  await store.close()
  return events
}

oracle(['docker-registry', 'skopeo'], () => {
  let registry: DockerRegistry
  beforeAll(async () => {
    registry = await startDockerRegistry()
    const copy = ['--insecure-policy', 'copy', '--quiet', '--dest-tls-verify=false']
    await runOk('skopeo', [...copy, `oci:${layout}:latest`, `docker://${registry.host}/lab/image:one`])
  })
  afterAll(() => registry?.close())

  test.each(ROWS)('$name', async (row) => {
    const proxy = await startFaultProxy({ host: registry.host, ...row.proxy })
    try {
      await pull(proxy.host, row)
      // Nothing is asked for more than twice.
      const counts = proxy.seen.map(({ path }) => proxy.seen.filter((each) => each.path === path).length)
      expect(Math.max(...counts)).toBe(2)
    } finally {
      await proxy.close()
    }
  })

  test('a redirect to another host', async () => {
    const proxy = await startFaultProxy({ host: registry.host, fault: 'redirect' })
    try {
      await pull(proxy.host, { name: 'redirect', proxy: { fault: 'redirect' }, faults: [], most: 1_500 })
      const elsewhere = proxy.seen.filter(({ host }) => host.startsWith('localhost'))
      expect(elsewhere).toHaveLength(4)
      expect(elsewhere.every(({ authorization }) => authorization === undefined)).toBe(true)
    } finally {
      await proxy.close()
    }
  })
})

describe('the test registry', () => {
  test.each(ROWS)('$name', async (row) => {
    const registry = createTestRegistry({ runtime: nodeRuntime, faults: row.faults })
    const served = await serveTestRegistry(registry)
    try {
      await copyImage(await openImage(await openLayout(layout), 'latest'), registry.store('lab/image'), 'one')
      await pull(served.host, row)
    } finally {
      await served.close()
    }
  })
})
