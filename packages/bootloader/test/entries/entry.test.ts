import { formatBootEntry, parseBootEntry, readBootEntries } from '@bootable/bootloader'
import { createFile, createSymlink, createTree, ensureDirectory, putInode } from '@bootable/tree'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

describe('parseBootEntry', () => {
  test('keeps unknown keys, joins options, skips comments and empty lines', () => {
    const text = `# comment
title      Debian  13\t
\tlinux /vmlinuz
initrd /a.img
initrd /b.img
options root=/dev/sda1
options quiet

grub_users $grub_users
machine-id
`
    expect(parseBootEntry('x', text.replaceAll('\n', '\r\n'))).toEqual({
      id: 'x',
      title: 'Debian  13',
      linux: '/vmlinuz',
      initrd: ['/a.img', '/b.img'],
      options: 'root=/dev/sda1 quiet',
      other: { grub_users: ['$grub_users'], 'machine-id': [''] },
    })
  })

  test('reads back what formatBootEntry writes', () => {
    const word = fc.stringMatching(/^[!-~]{1,20}$/)
    const line = fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => words.join(' '))
    const entries = fc.record({
      id: word,
      title: line,
      version: word,
      linux: word,
      initrd: fc.array(word, { maxLength: 3 }),
      options: line,
      other: fc.dictionary(
        fc.stringMatching(/^x-[a-z]{1,8}$/),
        fc.array(line, { minLength: 1, maxLength: 2 }),
      ),
    })
    fc.assert(
      fc.property(entries, (entry) => {
        expect(parseBootEntry(entry.id, formatBootEntry(entry))).toEqual(entry)
      }),
    )
  })

  test('any text is an entry', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => parseBootEntry('x', text).id === 'x'))
  })
})

test('formatBootEntry refuses line breaks', () => {
  const entry = { id: 'x', title: 'a\nlinux /evil', initrd: [], options: '', other: {} }
  expect(() => formatBootEntry(entry)).toThrow(expect.objectContaining({ code: 'BOOTLOADER_TEXT_INVALID' }))
})

describe('readBootEntries', () => {
  test('finds the entries of all places, each file once', async () => {
    const tree = createTree()
    putInode(tree, 'boot/loader.1/entries/b.conf', createFile('title B\n'))
    putInode(tree, 'boot/loader.1/entries/a.conf', createFile('title A\n'))
    putInode(tree, 'boot/loader.1/entries/README', createFile('title no\n'))
    putInode(tree, 'boot/loader', createSymlink('loader.1'))
    putInode(tree, 'boot/boot', createSymlink('.'))
    putInode(tree, 'boot/efi/loader/entries/c.conf', createFile('title C\n'))
    putInode(tree, 'efi', createSymlink('boot/efi'))
    ensureDirectory(tree, 'boot/loader.1/entries/d.conf')
    const found = await readBootEntries(tree)
    expect(found.map(({ id, title, path }) => [id, title, path])).toEqual([
      ['a', 'A', 'boot/loader.1/entries/a.conf'],
      ['b', 'B', 'boot/loader.1/entries/b.conf'],
      ['c', 'C', 'boot/efi/loader/entries/c.conf'],
    ])
  })

  test.each([
    ['not UTF-8', Uint8Array.of(0x74, 0xff)],
    ['too long', new Uint8Array(65_537)],
  ])('refuses a file that is %s', async (_, content) => {
    const tree = createTree()
    putInode(tree, 'loader/entries/a.conf', createFile(content))
    await expect(readBootEntries(tree)).rejects.toMatchObject({ name: 'FormatError', code: 'FORMAT_INVALID' })
  })
})
