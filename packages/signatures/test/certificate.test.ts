import { generateKeyPairSync } from 'node:crypto'
import { X509Certificate } from '@sigstore/core'
import { beforeAll, describe, expect, test } from 'vitest'
import { createFakeSigstore, createIslands, type FakeSigstore } from '../../../tooling/fake-sigstore.ts'
import { followChain } from '../src/node/certificate.ts'

describe('followChain', () => {
  // Certificates that are issued below live from then on, for ten minutes.
  const now = [new Date(Date.now() + 60_000)]
  let sigstore: FakeSigstore
  let root: X509Certificate
  let intermediate: X509Certificate
  beforeAll(async () => {
    sigstore = await createFakeSigstore()
    root = X509Certificate.parse(sigstore.root)
    intermediate = X509Certificate.parse(sigstore.intermediate)
  })
  const issue = async (byIntermediate: boolean): Promise<X509Certificate> => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const request = { publicKey, issuer: 'https://issuer.example', email: 'a@example.com', byIntermediate }
    return X509Certificate.parse(Buffer.from(await sigstore.issue(request)))
  }

  test('leads to a root, with and without an authority between', async () => {
    const [direct, below] = [await issue(false), await issue(true)]
    expect(followChain(direct, [], [root], now)).toBeUndefined()
    expect(followChain(below, [intermediate, root], [root], now)).toBeUndefined()
    expect(followChain(below, [root], [root], now)).toMatch(/does not lead/)
    expect(followChain(below, [], [intermediate], now)).toBeUndefined()
  })

  test('no certificate that came along is a root, and no leaf is an authority', async () => {
    const [direct, below] = [await issue(false), await issue(true)]
    expect(followChain(direct, [root], [], now)).toMatch(/does not lead/)
    expect(followChain(below, [direct], [root], now)).toMatch(/does not lead/)
    expect(followChain(direct, [], [direct], now)).toMatch(/does not lead/)
  })

  test('every certificate is valid at every moment, of which there is at least one', async () => {
    const leaf = await issue(false)
    const before = new Date(Date.now() - 3_600_000)
    expect(followChain(leaf, [], [root], [])).toMatch(/not valid/)
    expect(followChain(leaf, [], [root], [...now, before])).toMatch(/not valid/)
  })

  test('ends soon among authorities that all vouch for each other', async () => {
    const islands = (await createIslands(40)).map((pem) => X509Certificate.parse(pem))
    const start = Date.now()
    expect(followChain(islands[0] as X509Certificate, islands, [root], now)).toMatch(/does not lead/)
    expect(Date.now() - start).toBeLessThan(5000)
  })
})
