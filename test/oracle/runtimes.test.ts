import { putImage, writeLayerTar } from '@bootable/oci'
import { createTestRegistry } from '@bootable/registry/testing'
import { type ServedTestRegistry, serveTestRegistry } from '@bootable/registry/testing/node'
import { createFile, createTree, putInode } from '@bootable/tree'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleProgram } from '../../tooling/bundle.ts'
import { patternBytes } from '../../tooling/compliance/trees.ts'
import { runOk, temporaryFolder } from '../../tooling/oracles.ts'
import type { Pulled } from '../../tooling/programs/pull.ts'
import { findRuntime, type RuntimeName } from '../../tooling/runtimes.ts'

const RUNTIMES: readonly (readonly [name: RuntimeName, agent: RegExp])[] = [
  ['node', /^Node\.js\/\d/],
  ['node22', /^Node\.js\/22/],
  ['node24', /^Node\.js\/24/],
  ['deno', /^Deno\//],
  ['bun', /^Bun\//],
]

describe('the registry client', () => {
  const folder = temporaryFolder()
  let program: string
  let served: ServedTestRegistry
  let digest: string
  beforeAll(async () => {
    program = await bundleProgram('pull-command', 'node', folder)
    const registry = createTestRegistry({ auth: { type: 'token', users: [], anonymous: [EVERYTHING] } })
    digest = (await putImage(registry.store('lab/image'), sampleParts(), { reference: '1' })).digest
    served = await serveTestRegistry(registry)
  })
  afterAll(() => served?.close())

  for (const [name, isAgent] of RUNTIMES) {
    const runtime = findRuntime(name)
    test.runIf(runtime)(`pulls and pushes on ${name}`, async () => {
      const { command, args } = runtime as NonNullable<typeof runtime>
      const { stdout } = await runOk(command, [...args, program, `${served.host}/lab/image`])
      const { agent, byFetch, byNode, pushed } = JSON.parse(stdout) as Found
      expect(agent).toMatch(isAgent)
      expect(byFetch).toMatchObject({ digest, missing: 'REFERENCE_UNKNOWN' })
      expect(byFetch.tags).toContain('1')
      expect(byFetch.tree.join('\n')).toContain('/usr/bin/program')
      expect(byNode.tree).toEqual(byFetch.tree)
      expect(pushed[1]).toBe(pushed[0])
    })
  }
})

interface Found extends Record<'byFetch' | 'byNode', Pulled> {
  readonly agent: string
  readonly pushed: readonly [string, string]
}

const EVERYTHING = { repository: '.*', actions: ['pull', 'push'] } as const

function sampleParts(): Parameters<typeof putImage>[1] {
  const tree = createTree()
  putInode(tree, 'usr/bin/program', createFile(patternBytes(300_000), { mode: 0o755 }))
  return { layers: [() => writeLayerTar(tree)] }
}
