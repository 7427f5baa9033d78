import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { putImage, writeLayerTar } from '@bootable/oci'
import { createTestRegistry, type TestRegistryOptions } from '@bootable/registry/testing'
import { serveTestRegistry } from '@bootable/registry/testing/node'
import { createFile, createTree, putInode } from '@bootable/tree'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleProgram } from '../../tooling/bundle.ts'
import { patternBytes } from '../../tooling/compliance/trees.ts'
import { findTool, oracle, temporaryFolder } from '../../tooling/oracles.ts'
import type { Pulled } from '../../tooling/programs/pull.ts'

oracle('chromium', () => {
  const folder = temporaryFolder()
  let module: string
  beforeAll(async () => {
    module = readFileSync(await bundleProgram('pull-page', 'browser', folder), 'utf8')
  })

  /** A registry of another origin than the page's, with one image. */
  async function serve(options: TestRegistryOptions) {
    const registry = createTestRegistry(options)
    const tree = createTree()
    putInode(tree, 'usr/bin/program', createFile(patternBytes(3_000_000), { mode: 0o755 }))
    const { digest } = await putImage(
      registry.store('lab/image'),
      { layers: [() => writeLayerTar(tree)] },
      { reference: '1' },
    )
    const served = await serveTestRegistry(registry)
    afterAll(() => served.close())
    return { digest, name: `${served.host}/lab/image`, registry }
  }

  /** Opens the page that pulls; what it has found, or the error that stopped it. */
  async function visit(name: string): Promise<Pulled | { readonly error: string }> {
    let report: (found: string) => void = () => {}
    const found = new Promise<string>((resolve) => {
      report = resolve
    })
    const server = createServer(async (request, response) => {
      if (request.method === 'POST') report(await text(request))
      const isModule = request.url === '/page.mjs'
      response.setHeader('Content-Type', isModule ? 'text/javascript' : 'text/html')
      response.end(isModule ? module : '<!doctype html><script type="module" src="/page.mjs"></script>')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const page = `http://127.0.0.1:${(server.address() as AddressInfo).port}/?name=${encodeURIComponent(name)}`
    const browser = spawn(
      findTool('chromium') as string,
      [...FLAGS, `--user-data-dir=${join(folder, 'profile')}`, page],
      {
        stdio: 'ignore',
        detached: true,
      },
    )
    try {
      return JSON.parse(await found) as Pulled
    } finally {
      // With everything that it has started, of which some write to the profile.
      const ended = once(browser, 'close')
      process.kill(-(browser.pid as number), 'SIGKILL')
      await ended
      server.closeAllConnections()
      server.close()
    }
  }

  test('pulls from a registry that lets pages of other origins in', async () => {
    const { digest, name, registry } = await serve({ cors: true })
    const found = await visit(name)
    expect(found).toMatchObject({ tags: ['1'], digest, missing: 'REFERENCE_UNKNOWN' })
    expect((found as Pulled).tree.join('\n')).toContain('/usr/bin/program')
    expect(registry.requests.some(({ path }) => path.includes('/blobs/sha256:'))).toBe(true)
  })

  test('gets an anonymous token first, where it is asked for one', async () => {
    const anonymous = [{ repository: 'lab/.*', actions: ['pull'] }] as const
    const { digest, name } = await serve({ cors: true, auth: { type: 'token', users: [], anonymous } })
    expect(await visit(name)).toMatchObject({ digest })
  })

  test('is kept out of a registry that does not, and says so', async () => {
    const { name } = await serve({ cors: false })
    expect(await visit(name)).toEqual({ error: 'NETWORK' })
  })
})

/** Nothing of these looks for a network: the machine may have none. */
const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
]
