import { utf8 } from '@bootable/bytes'
import { contentsIn, type DiskTable } from './table.ts'

/** Passphrases by the uuid of the LUKS volume that they open. They never stand in a plan. */
export type LuksSecrets = ReadonlyMap<string, Uint8Array>

/** The encrypted volumes of a table, and the passphrases that it brings along. */
export function luksSecrets({ entries }: DiskTable): { encrypted: string[]; secrets: LuksSecrets } {
  const volumes = entries
    .flatMap(({ content }) => contentsIn(content))
    .flatMap((content) => (content.type === 'luks' ? [content] : []))
  const secrets = volumes.flatMap(({ uuid = '', passphrase }) =>
    passphrase === undefined ? [] : [[uuid, utf8(passphrase)] as const],
  )
  return { encrypted: volumes.map(({ uuid = '' }) => uuid), secrets: new Map(secrets) }
}
