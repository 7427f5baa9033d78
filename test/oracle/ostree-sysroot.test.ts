import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { installBootloader } from '@bootable/bootloader'
import { nodeRuntime } from '@bootable/bytes/node'
import { openImage } from '@bootable/oci'
import { openOciArchive, temporaryLayerCache } from '@bootable/oci/node'
import { type DeployOstreeOptions, deployOstree } from '@bootable/ostree'
import { composeKernelArguments, type InstalledSystem } from '@bootable/system'
import { type FileTree, statMode, walkTree } from '@bootable/tree'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deploy } from '../../packages/ostree/test/deploy/machine.ts'
import { findFixture } from '../../tooling/fixture.ts'
import { readHostTree, writeHostTree } from '../../tooling/host-tree.ts'
import { requireOracleRoot, runOkInOracleRoot } from '../../tooling/oracle-root.ts'
import { requireTool, runOk, temporaryFolder } from '../../tooling/oracles.ts'

const OPTIONS: DeployOstreeOptions = {
  targetReference: 'quay.io/example/os:latest',
  seed: 'seed',
  clock: 1_750_000_000,
  runtime: nodeRuntime,
}

/** What ostree makes when it needs it, and what it keeps of a branch that was only made for the test. */
const OF_THE_RUN = /^ostree\/repo\/(\.lock|tmp\/cache|refs\/heads\/test)(\/|$)/

/** Everything about a sysroot that two ways of making it have in common: not times, not origins. */
function describeSysroot(tree: FileTree): Map<string, string> {
  const rows = new Map<string, string>()
  for (const { path, inode, linkOf } of walkTree(tree)) {
    if (OF_THE_RUN.test(path) || path === '.bootc-aleph.json' || path.endsWith('.origin')) continue
    const xattrs = [...inode.xattrs].map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`)
    const row = [statMode(inode).toString(8), `${inode.uid}:${inode.gid}`, ...xattrs.sort()]
    if (inode.type === 'file') row.push(`${inode.content.size} bytes`)
    if (inode.type === 'symlink') row.push(`-> ${inode.target}`)
    if (linkOf !== undefined) row.push(`link of ${linkOf}`)
    rows.set(path, row.join(' '))
  }
  return rows
}

/** Paths at which two descriptions differ, with both. */
function differences(actual: Map<string, string>, expected: Map<string, string>): string[] {
  const paths = new Set([...actual.keys(), ...expected.keys()])
  return [...paths].flatMap((path) => {
    const [ours, theirs] = [actual.get(path), expected.get(path)]
    return ours === theirs ? [] : [`/${path}: ${ours} instead of ${theirs}`]
  })
}

const fixture = findFixture('trixie-minimal')
const cache = temporaryLayerCache()
afterAll(() => cache.close?.())

async function deployFixture(): Promise<InstalledSystem> {
  const store = await openOciArchive(fixture!.archive, { runtime: nodeRuntime })
  return deployOstree(await openImage(store, ''), { ...OPTIONS, cache })
}

/** What the real ostree makes of the commit in a sysroot of `folder`, in a sysroot beside it. */
async function deployWithOstree(folder: string, name: string, system: InstalledSystem): Promise<void> {
  const { bootEntry: _, ...others } = system
  const { commit, path } = system.deployment!
  const call = (...args: string[]) => runOkInOracleRoot(folder, 'ostree', args)
  const [sysroot, repository] = [`--sysroot=/work/${name}`, `--repo=/work/${name}/ostree/repo`]
  mkdirSync(join(folder, name))
  await call('admin', 'init-fs', '--modern', `/work/${name}`)
  for (const [key, value] of Object.entries({ bootloader: 'none', bootprefix: 'true', readonly: 'true' })) {
    await call('config', repository, 'set', `sysroot.${key}`, value)
  }
  await call('admin', 'os-init', sysroot, 'default')
  await call('pull-local', repository, '/work/ours/ostree/repo')
  await call('refs', repository, '--create=test', commit)
  const kargs = composeKernelArguments(others, []).map((word) => `--karg-append=${word}`)
  await call('admin', 'deploy', sysroot, '--os=default', ...kargs, 'test')
  // Or the folder could not be removed.
  await runOk('chattr', ['-i', join(folder, name, path)])
}

const isRoot = process.getuid?.() === 0

describe.each([
  ['a small image', () => deploy(), isRoot],
  ['trixie-minimal', deployFixture, isRoot && fixture !== undefined],
])('the sysroot of %s', (_, make, canBeMade) => {
  const folder = temporaryFolder()
  const ours = join(folder, 'ours')
  const canBeJudged = canBeMade && requireTool('ostree', 'getfattr', 'setfattr', 'chattr')
  let system: InstalledSystem
  beforeAll(async () => {
    if (!canBeJudged) return
    system = await make()
    await installBootloader(system, [], { bootloader: 'none', clock: { seconds: 0, nanoseconds: 0 } })
    await writeHostTree(system.sysroot, ours)
  })

  test.runIf(canBeJudged)('has no finding', async () => {
    const repository = `--repo=${join(ours, 'ostree/repo')}`
    const { commit } = system.deployment!
    const { stdout } = await runOk('ostree', ['fsck', repository])
    expect(stdout).toMatch(/^object fsck of \d+ commits completed successfully - no errors found\.$/m)
    const refs = (await runOk('ostree', ['refs', repository])).stdout.trim().split('\n')
    const named = refs.filter((ref) => !ref.startsWith('ostree/container/blob/'))
    expect(named).toHaveLength(2)
    for (const ref of named) {
      const resolved = await runOk('ostree', ['rev-parse', repository, ref])
      expect([ref, resolved.stdout.trim()]).toEqual([ref, commit])
    }
    const status = await runOk('ostree', ['admin', 'status', `--sysroot=${ours}`])
    expect(status.stdout).toContain(`default ${commit}.0`)
  })

  test.runIf(canBeJudged && requireOracleRoot('ostree'))('is what the newest ostree makes', async () => {
    const { commit, path } = system.deployment!
    const status = await runOkInOracleRoot(folder, 'ostree', ['admin', 'status', '--sysroot=/work/ours'])
    expect(status.stdout).toContain(`default ${commit}.0`)

    await deployWithOstree(folder, 'real', system)
    const [written, real] = [await readHostTree(ours), await readHostTree(join(folder, 'real'))]
    expect(differences(describeSysroot(written), describeSysroot(real))).toEqual([])
    for (const file of [`${path}/.ostree.cfs`, system.bootEntry!.path, 'ostree/repo/config']) {
      const [one, other] = [ours, join(folder, 'real')].map((place) => readFileSync(join(place, file)))
      expect([file, one?.equals(other!)]).toEqual([file, true])
    }
  })
})
