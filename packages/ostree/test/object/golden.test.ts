import { fromHex, toHex, utf8 } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { createFile, createSymlink } from '@bootable/tree'
import { expect, test } from 'vitest'
import { decodeCommit, encodeCommit } from '../../src/object/commit.ts'
import { decodeDirmeta, encodeDirmeta } from '../../src/object/dirmeta.ts'
import { decodeDirtree, encodeDirtree } from '../../src/object/dirtree.ts'
import { encodeFileHeader } from '../../src/object/file.ts'
import type { MetadataValue } from '../../src/object/metadata.ts'
import { checksumFiles } from '../../src/repository/checksum-files.ts'

/** Objects as ostree 2026.4 wrote them. */
const BIN = utf8('system_u:object_r:bin_t:s0\0')
const ROOT = utf8('system_u:object_r:root_t:s0\0')
const EMPTY_TREE = '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'

function sha256(bytes: Uint8Array): string {
  return toHex(nodeRuntime.createHash('sha256').update(bytes).digest())
}

const PLAIN = createFile('hello\n')
const XATTR = createFile('#!/bin/sh\n', {
  uid: 1000,
  gid: 1001,
  mode: 0o755,
  xattrs: new Map([
    ['user.note', utf8('hi')],
    ['security.selinux', BIN],
    ['security.capability', fromHex('0100000200200000000000000000000000000000')],
  ]),
})
const SUID = createFile('', { mode: 0o4755, xattrs: new Map([['security.selinux', BIN]]) })
const LINK = createSymlink('../usr/lib/os-release', { xattrs: new Map([['security.selinux', BIN]]) })

test.each([
  [
    'a regular file',
    PLAIN,
    '00000012000000000000000000000000000081a4000000000011',
    '44f778e59f0a4748d6b0c90a47347212a231c4ad1e8f7ea5c5dffc7749153a6b',
  ],
  [
    'a file with extended attributes',
    XATTR,
    '0000007800000000000003e8000003e9000081ed000000000073656375726974792e6361706162696c69747900010000020020' +
      '00000000000000000000000000001473656375726974792e73656c696e75780073797374656d5f753a6f626a6563745f723a62' +
      '696e5f743a73300011757365722e6e6f74650068690a29566311',
    '77e3037dcc4d2a58256c7e94efcdeabbb35be63c53e9205a172145bfb056368b',
  ],
  [
    'an empty setuid file',
    SUID,
    '00000040000000000000000000000000000089ed000000000073656375726974792e73656c696e75780073797374656d5f753a' +
      '6f626a6563745f723a62696e5f743a733000112d11',
    'cc20e6755d21cb1b4b4db97e1dc408c2c44d720f16d739c1c02c2782fc62c84d',
  ],
  [
    'a labelled symbolic link',
    LINK,
    '000000550000000000000000000000000000a1ff000000002e2e2f7573722f6c69622f6f732d72656c65617365007365637572' +
      '6974792e73656c696e75780073797374656d5f753a6f626a6563745f723a62696e5f743a733000112d26',
    'df29d4629bb15bec1ade53fdb631c0ddb5c9eef7a931263dc5f631b90dfa177b',
  ],
  [
    'a symbolic link',
    createSymlink('hello', { mode: 0o644 }),
    '000000170000000000000000000000000000a1ff0000000068656c6c6f0016',
    '73baaba0102e9154b8522687d33eedb8ed1bc78eadb82428b2616144ec502934',
  ],
])('%s', async (_, inode, header, checksum) => {
  expect(toHex(encodeFileHeader(inode))).toBe(header)
  expect((await checksumFiles([inode])).get(inode)).toBe(checksum)
})

test.each([
  [
    { uid: 0, gid: 0, mode: 0o755, xattrs: new Map([['security.selinux', ROOT]]) },
    '0000000000000000000041ed73656375726974792e73656c696e75780073797374656d5f753a6f626a6563745f723a726f6f74' +
      '5f743a733000112e',
    '50773817e4519629fb061cb3cfe4ddae0a996c12336d087042481fbeab1a380c',
  ],
  [
    { uid: 81, gid: 82, mode: 0o2775, xattrs: new Map() },
    '0000005100000052000045fd',
    '3f21caac23fc7b4d2b7cdc84618ba338ac32aa6b81636af9f3c1bf822006768e',
  ],
  [
    { uid: 0, gid: 0, mode: 0o755, xattrs: new Map() },
    '0000000000000000000041ed',
    '446a0ef11b7cc167f3b603e585c7eeeeb675faa412d5ec73f62988eb0b6c5488',
  ],
])('dirmeta %#', (dirmeta, hex, checksum) => {
  const bytes = encodeDirmeta(dirmeta)
  expect(toHex(bytes)).toBe(hex)
  expect(sha256(bytes)).toBe(checksum)
  expect(decodeDirmeta(bytes)).toEqual(dirmeta)
})

const TREE = 'efc799cf90f9ecb3cbeae4048ef673c2461f21e19fc58a6bb9251c95425ef5fe'
const META = '50773817e4519629fb061cb3cfe4ddae0a996c12336d087042481fbeab1a380c'

test('dirtree', async () => {
  const checksums = await checksumFiles([PLAIN, XATTR, SUID, LINK])
  const dirtree = {
    files: new Map([
      ['xattr', checksums.get(XATTR) as string],
      ['suid', checksums.get(SUID) as string],
      ['plain', checksums.get(PLAIN) as string],
      ['link', checksums.get(LINK) as string],
    ]),
    directories: new Map([['sub', { tree: EMPTY_TREE, meta: META }]]),
  }
  const bytes = encodeDirtree(dirtree)
  expect(sha256(bytes)).toBe(TREE)
  expect(decodeDirtree(bytes)).toEqual(dirtree)
  expect([...decodeDirtree(bytes).files.keys()]).toEqual(['link', 'plain', 'suid', 'xattr'])
  expect(toHex(encodeDirtree({ files: new Map(), directories: new Map() }))).toBe('00')
  expect(sha256(Uint8Array.of(0))).toBe(EMPTY_TREE)
})

const FIRST = { metadata: new Map(), subject: '', body: '', timestamp: 0, tree: TREE, meta: META }
const FIRST_CHECKSUM = '08eab44ec62182d5beac770df3fcc1226a4641a63868055142519e52fae87d49'

test('a commit without anything', () => {
  const bytes = encodeCommit(FIRST)
  expect(toHex(bytes)).toBe(`${'00'.repeat(16)}${TREE}${META}300201000000`)
  expect(sha256(bytes)).toBe(FIRST_CHECKSUM)
  expect(decodeCommit(bytes)).toEqual(FIRST)
})

test('a commit with metadata of every type', () => {
  const metadata = new Map<string, MetadataValue>([
    ['ostree.bootable', true],
    ['version', '42.1'],
    ['ostree.linux', '6.9.0'],
    ['n', { type: 't', value: 7 }],
    ['list', ['a', 'bc']],
    ['bin', Uint8Array.of(1, 2, 3)],
  ])
  const commit = {
    ...FIRST,
    metadata,
    parent: FIRST_CHECKSUM,
    subject: 'subject',
    body: 'body',
    timestamp: 1_767_323_045,
  }
  const bytes = encodeCommit(commit)
  expect(toHex(bytes)).toBe(
    '6f73747265652e626f6f7461626c6500010062100000000076657273696f6e0034322e31000073086f73747265652e6c696e75' +
      '7800000000362e392e300000730d000000000000006e00000000000000070000000000000000740200000000006c697374000000' +
      '006100626300020500617305000000000062696e0000000000010203006179041428415b7387' +
      '08eab44ec62182d5beac770df3fcc1226a4641a63868055142519e52fae87d49' +
      '7375626a65637400626f64790000000000000000000000695735a5' +
      `${TREE}${META}e800ba00b500ad00ad008d00`,
  )
  expect(sha256(bytes)).toBe('fa04aa5adc40aa3fb02a3c25b0f56b8025dd3d6fee32d79d89275bde020ef7cb')
  expect(decodeCommit(bytes)).toEqual(commit)
})
