import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Attempts, expectFailure, prepareAttempts } from '../../tooling/attempts.ts'
import { type HandMadeMember, MINIMAL_MACHINE, tarOf } from '../../tooling/images.ts'

let attempts: Attempts
beforeAll(async () => {
  attempts = await prepareAttempts()
})
afterAll(() => attempts.command.close())

/** The minimal machine with what finds the deployment at boot, and a boot loader that follows ostree. */
const MEMBERS: typeof MINIMAL_MACHINE = [
  ...MINIMAL_MACHINE,
  { name: 'usr/lib/ostree/ostree-prepare-root', data: 'program' },
  { name: 'usr/lib/bootupd/updates/EFI/test/shimx64.efi', data: 'shim' },
  { name: 'usr/lib/bootupd/updates/EFI/test/grubx64.efi', data: 'grub' },
]
const machine = { tar: tarOf(MEMBERS) }

/** Builds the minimal machine with one more layer. */
function withLayer(...members: readonly HandMadeMember[]): ReturnType<Attempts['attempt']> {
  return attempts.attempt({ layers: [machine, { tar: tarOf(members) }] }, ['--layout', 'ostree'])
}

function prepareRoot(enabled: string): HandMadeMember {
  return { name: 'usr/lib/ostree/prepare-root.conf', data: `[composefs]\nenabled = ${enabled}\n` }
}

describe('an image that ostree would refuse', () => {
  it('is built when nothing is wrong with it', async () => {
    const result = await withLayer(prepareRoot('yes'))
    expect(result.status, result.stderr).toBe(0)
  })

  it('has a device or a fifo', async () => {
    expectFailure(await withLayer({ name: 'usr/lib/null', type: 'character' }), /layer 1 .*usr\/lib\/null/)
    expectFailure(await withLayer({ name: 'usr/lib/pipe', type: 'fifo' }), /layer 1 .*usr\/lib\/pipe/)
  })

  it('has a hard link to what only another layer has', async () => {
    const link: HandMadeMember = { name: 'usr/lib/link', type: 'hardLink', target: 'usr/lib/os-release' }
    expectFailure(await withLayer(link), /layer 1 .*usr\/lib\/link/)
  })

  it('has a name that is no UTF-8', async () => {
    const name = Buffer.from('usr/share/caf\xe9', 'latin1')
    expectFailure(await withLayer({ name }), /layer 1 .*not UTF-8/)
  })

  it('demands a composefs that only its builder can sign, or that needs fs-verity', async () => {
    for (const enabled of ['signed', 'verity']) {
      expectFailure(await withLayer(prepareRoot(enabled)), new RegExp(`composefs.*${enabled}`, 's'))
    }
  })

  it('has two kernels', async () => {
    const kernel = { name: 'usr/lib/modules/6.2.0-test/vmlinuz', data: 'another' }
    expectFailure(await withLayer(kernel), /6\.1\.0-test.*6\.2\.0-test/s)
  })

  it('has no /etc', async () => {
    const tar = tarOf(MEMBERS.filter(({ name }) => !name.startsWith('etc/')))
    expectFailure(await attempts.attempt({ layers: [{ tar }] }, ['--layout', 'ostree']), /\/etc/)
  })
})

/** Labels of an image whose last layer of chunks is that one. */
function chunked(tar: Buffer): Record<string, string> {
  const digest = createHash('sha256').update(tar).digest('hex')
  return { 'containers.bootc': '1', 'ostree.final-diffid': `sha256:${digest}` }
}

describe('an ostree commit in chunks', () => {
  it('has an object that is not what its name says', async () => {
    const name = `sysroot/ostree/repo/objects/00/${'0'.repeat(62)}.commit`
    const tar = tarOf([{ name, data: new Uint8Array(1) }])
    const labels = chunked(tar)
    const result = await attempts.attempt({ layers: [{ tar }], labels }, ['--layout', 'ostree'])
    expectFailure(result, /6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d/)
  })

  it('is not in the layers that should hold it', async () => {
    const labels = chunked(machine.tar)
    const result = await attempts.attempt({ layers: [machine], labels }, ['--layout', 'ostree'])
    expectFailure(result, /layer 0 .*commit/)
  })
})
