import type { KeyObject } from 'node:crypto'
import { Verifier } from '@sigstore/verify'
import type { SignatureTrust } from '../policy/types.ts'
import type { SignatureCheck } from '../verify/verifier.ts'
import { runChecks } from './check.ts'
import { isEntryOf, logOf, promisedEntries } from './log-entry.ts'
import type { ReadBundle } from './signed-entity.ts'
import { readPublicKey } from './trust-source.ts'

/** A signature by one of several keys; a log, where one is asked for, must have promised to include it. */
export async function verifyByKeys(
  bundle: ReadBundle,
  { keys, rekorKeys }: Extract<SignatureTrust, { type: 'keys' }>,
): Promise<readonly SignatureCheck[]> {
  const logs = rekorKeys && (await Promise.all(rekorKeys.map(readPublicKey)))
  const tries: (readonly SignatureCheck[])[] = []
  for (const source of keys) {
    const checks = verifyByKey(bundle, await readPublicKey(source), logs)
    if (checks.every(({ passed }) => passed)) return checks
    tries.push(checks)
  }
  // A key that made the signature says more about what is wrong than one that did not.
  return tries.find(([first]) => first?.passed) ?? tries[0] ?? []
}

function verifyByKey(
  { entity }: ReadBundle,
  key: KeyObject,
  logs: readonly KeyObject[] | undefined,
): readonly SignatureCheck[] {
  const entries = promisedEntries(entity.tlogEntries)
  return runChecks([
    ['signature', () => verifySignature(entity, key)],
    [
      'log',
      () => {
        if (!logs) return 'the policy asks for no log'
        const material = { ...noMaterial(key), tlogs: logs.map(logOf) }
        const verifier = new Verifier(material, {
          tlogThreshold: 1,
          ctlogThreshold: 0,
          timestampThreshold: 0,
        })
        verifier.verify({ ...entity, key: asKey, timestamps: [], tlogEntries: entries })
        if (!entries.every((entry) => isEntryOf(entry, key)))
          throw new Error('the log has it for another key')
        return 'a trusted log knows it'
      },
    ],
  ])
}

const asKey = { $case: 'public-key', hint: '' } as const

/** The signature alone, by the library that knows its forms. */
function verifySignature(entity: ReadBundle['entity'], key: KeyObject): string {
  const verifier = new Verifier(noMaterial(key), {
    tlogThreshold: 0,
    ctlogThreshold: 0,
    timestampThreshold: 0,
  })
  verifier.verify({ ...entity, key: asKey, timestamps: [], tlogEntries: [] })
  return 'a trusted key made it'
}

function noMaterial(key: KeyObject): ConstructorParameters<typeof Verifier>[0] {
  return {
    certificateAuthorities: [],
    timestampAuthorities: [],
    tlogs: [],
    ctlogs: [],
    publicKey: () => ({ publicKey: key, validFor: () => true }),
  }
}
