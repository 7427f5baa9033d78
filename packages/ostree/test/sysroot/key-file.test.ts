import { createFile, createTree, putInode } from '@bootable/tree'
import { describe, expect, it } from 'vitest'
import { parseKeyFile } from '../../src/sysroot/key-file.ts'
import { parseComposefsMode, readPrepareRoot } from '../../src/sysroot/prepare-root.ts'

describe('parseKeyFile', () => {
  it('reads groups, comments, blanks around the equals sign and escapes', () => {
    const file = parseKeyFile(
      '# a comment\n\n[origin]\ncontainer-image-reference = a:b=c\n[two words]\nkey=\\s1\\n2\\\\3\\q\r\n[origin]\nlast=1\nlast=2\n',
      'x',
    )
    expect(file.groups).toEqual(['origin', 'two words'])
    expect(file.get('origin', 'container-image-reference')).toBe('a:b=c')
    expect(file.get('two words', 'key')).toBe(' 1\n2\\3\\q')
    expect(file.get('origin', 'last')).toBe('2')
    expect(file.get('nowhere', 'key')).toBeUndefined()
  })

  it.each([
    ['key=1\n', /line 1 is a value before the first group/],
    ['[a]\nno value\n', /line 2 is neither/],
    ['[a]\n=1\n', /line 2 is neither/],
    ['[a\n', /line 1/],
  ])('refuses %j', (text, message) => {
    expect(() => parseKeyFile(text, 'some.conf')).toThrow(message)
    expect(() => parseKeyFile(text, 'some.conf')).toThrow(/^some\.conf: /)
  })
})

describe('readPrepareRoot', () => {
  const read = (files: Record<string, string | Uint8Array>): ReturnType<typeof readPrepareRoot> => {
    const tree = createTree()
    for (const [path, text] of Object.entries(files)) putInode(tree, path, createFile(text))
    return readPrepareRoot(tree)
  }

  it('says no to everything where there is no file', async () => {
    expect(await read({})).toEqual({
      composefs: 'no',
      rootTransient: false,
      etcTransient: false,
      sysrootReadonly: false,
    })
  })

  it('reads the file of the image', async () => {
    const text =
      '[composefs]\nenabled = yes\n[sysroot]\nreadonly = true\n[root]\ntransient=1\n[etc]\ntransient=0\n'
    expect(await read({ 'usr/lib/ostree/prepare-root.conf': text })).toEqual({
      composefs: 'yes',
      rootTransient: true,
      etcTransient: false,
      sysrootReadonly: true,
    })
  })

  it.each(['etc', 'usr/etc'])('takes the whole file of /%s in its place', async (etc) => {
    const configuration = await read({
      'usr/lib/ostree/prepare-root.conf': '[composefs]\nenabled=yes\n[sysroot]\nreadonly=true\n',
      [`${etc}/ostree/prepare-root.conf`]: '[composefs]\nenabled=signed\n',
    })
    expect(configuration).toMatchObject({ composefs: 'signed', sysrootReadonly: false })
  })

  it.each<[what: string, content: string | Uint8Array, code: string, message: RegExp]>([
    [
      'a mode',
      '[composefs]\nenabled=perhaps\n',
      'OSTREE_INVALID_PREPARE_ROOT',
      /composefs\.enabled .* "perhaps"/,
    ],
    ['a flag', '[root]\ntransient=yes\n', 'OSTREE_INVALID_PREPARE_ROOT', /root\.transient/],
    ['a line', 'composefs', 'OSTREE_INVALID_KEY_FILE', /prepare-root\.conf: line 1/],
    ['a byte', Uint8Array.of(0xff), 'OSTREE_INVALID_KEY_FILE', /not UTF-8/],
    ['a size', new Uint8Array(1_048_577), 'OSTREE_INVALID_KEY_FILE', /1048577 bytes/],
  ])('refuses %s that is none', async (_, content, code, message) => {
    await expect(read({ 'usr/lib/ostree/prepare-root.conf': content })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    })
  })

  it.each([
    ['true', 'yes'],
    ['1', 'yes'],
    ['0', 'no'],
    ['maybe', 'maybe'],
    ['verity', 'verity'],
  ])('takes %s for %s', (text, mode) => expect(parseComposefsMode(text)).toBe(mode))
})
