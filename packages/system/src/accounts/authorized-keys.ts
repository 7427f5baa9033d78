import { BootableError } from '@bootable/bytes'
import type { SystemErrorCode } from '../errors.ts'

/** The types of public keys that OpenSSH takes in `authorized_keys` (sshd(8), ssh-keygen(1)). */
const KEY_TYPES: ReadonlySet<string> = new Set([
  'ssh-ed25519',
  'ssh-rsa',
  'ssh-dss',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
  'ssh-ed25519-cert-v01@openssh.com',
  'ssh-rsa-cert-v01@openssh.com',
  'ecdsa-sha2-nistp256-cert-v01@openssh.com',
  'ecdsa-sha2-nistp384-cert-v01@openssh.com',
  'ecdsa-sha2-nistp521-cert-v01@openssh.com',
  'sk-ssh-ed25519-cert-v01@openssh.com',
  'sk-ecdsa-sha2-nistp256-cert-v01@openssh.com',
])

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
  // Options may hold blanks between quotes, in which a backslash guards a quote (sshd(8)).
  const words = line.match(/(?:[^\s"]|"(?:\\"|[^"])*")+/g) ?? []
  const at = KEY_TYPES.has(words[0] ?? '') ? 0 : 1
  const [type, data] = words.slice(at)
  if (/PRIVATE KEY/.test(line)) return 'this is a private key'
  if (type === undefined || !KEY_TYPES.has(type))
    return `no type of key that OpenSSH knows: ${words[0]?.slice(0, 40)}`
  if (data === undefined) return 'the key itself is missing'
  const blob = decodeBase64(data)
  if (!blob) return 'the key is not base64'
  // The blob repeats its type as a string: length in 32 bits, then the name (RFC 4253, 6.6).
  const name = String.fromCharCode(...blob.subarray(4, 4 + type.length))
  const length = blob.length < 4 ? -1 : new DataView(blob.buffer).getUint32(0)
  if (length !== type.length || name !== type)
    return `the key is not of the type ${type} that stands in front of it`
  return blob.length > 4 + type.length ? undefined : 'the key is cut off'
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
}
