import type { ImageVerification } from '@bootable/signatures'
import { formatPairs } from './table.ts'

/** What `image verify` prints without `--json`. */
export function formatVerification({ accepted, digest, scope, requirements }: ImageVerification): string {
  const facts = formatPairs([
    ['image', digest],
    ['policy', scope],
    ['verdict', accepted ? 'accepted' : 'refused'],
  ])
  const judged = requirements.map(({ type, met, message, signatures }) =>
    formatPairs([
      [type, `${met ? 'met' : 'not met'}: ${message}`],
      ...signatures.map((signature): [string, string] => {
        const last = signature.checks.at(-1)
        const why = signature.accepted || !last ? '' : `: ${last.check}: ${last.message}`
        return [
          `  ${signature.kind}`,
          `${signature.digest} ${signature.accepted ? 'accepted' : 'refused'}${why}`,
        ]
      }),
    ]),
  )
  return [facts, ...judged].join('\n')
}
