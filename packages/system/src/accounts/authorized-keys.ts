import { BootableError } from '@bootable/bytes'
import type { SystemErrorCode } from '../errors.ts'

/**
 * The types of public keys that OpenSSH takes in `authorized_keys` (sshd(8)), with the number of fields
 * of each (RFC 4253, 6.6; RFC 5656, 3.1; RFC 8709, 4; PROTOCOL.u2f).
 */
const KEY_FIELDS: Readonly<Record<string, number>> = {
  'ssh-ed25519': 2,
  'ssh-rsa': 3,
  'ssh-dss': 5,
  'ecdsa-sha2-nistp256': 3,
  'ecdsa-sha2-nistp384': 3,
  'ecdsa-sha2-nistp521': 3,
  'sk-ssh-ed25519@openssh.com': 3,
  'sk-ecdsa-sha2-nistp256@openssh.com': 4,
}

/**
 * The lines of `authorized_keys` in a text, blank ones left out, each checked: sshd passes over a line
 * that it cannot read, and the user would find out at the login.
 *
 * @param user named in the error
 * @throws BootableError `KEY_INVALID`
 */
export function parseAuthorizedKeys(text: string, user: string): string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim())
  return lines.filter((line, index) => {
    if (line === '' || line.startsWith('#')) return line !== ''
    const problem = findProblem(line)
    if (problem === undefined) return true
    throw new BootableError<SystemErrorCode>(
      'KEY_INVALID',
      `key of user ${user}, line ${index + 1}: ${problem}`,
      {
        details: { user, line: index + 1 },
        hint: 'give the content of a .pub file: the type, the key in base64, a comment',
      },
    )
  })
}

function findProblem(line: string): string | undefined {
  if (line.includes('PRIVATE KEY')) return 'this is a private key'
  // Options may hold blanks between quotes, in which a backslash guards a quote (sshd(8)).
  const words = line.match(/(?:[^\s"]|"(?:\\.|[^"\\])*")+/g) ?? []
  const [type, data] = Object.hasOwn(KEY_FIELDS, words[0] ?? '') ? words : words.slice(1)
  const fields = type === undefined || !Object.hasOwn(KEY_FIELDS, type) ? undefined : KEY_FIELDS[type]
  if (type === undefined || fields === undefined) {
    return `no type of key that OpenSSH knows: ${JSON.stringify(line.slice(0, 40))}`
  }
  if (data === undefined) return 'the key itself is missing'
  const blob = decodeBase64(data)
  if (!blob) return 'the key is not base64, or cut off'
  const [name, ...rest] = splitFields(blob) ?? []
  if (name === undefined || rest.length !== fields - 1) return 'the key is damaged or cut off'
  const actual = String.fromCharCode(...name.subarray(0, 64))
  return actual === type ? undefined : `a key of the type ${JSON.stringify(actual)} stands after ${type}`
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
}

/** The fields of a blob, each a length in 32 bits and that many bytes (RFC 4251, 5); they fill it exactly. */
function splitFields(blob: Uint8Array<ArrayBuffer>): Uint8Array[] | undefined {
  const view = new DataView(blob.buffer)
  const fields: Uint8Array[] = []
  for (let offset = 0; offset < blob.length; ) {
    const start = offset + 4
    const end = start <= blob.length ? start + view.getUint32(offset) : Number.POSITIVE_INFINITY
    if (end > blob.length) return undefined
    fields.push(blob.subarray(start, end))
    offset = end
  }
  return fields
}
