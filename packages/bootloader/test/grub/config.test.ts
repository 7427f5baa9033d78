import { formatGrubConfig } from '@bootable/bootloader'
import { describe, expect, test } from 'vitest'
import { formatGrubConsole } from '../../src/grub/console.ts'
import { quoteGrubArguments, quoteGrubWord } from '../../src/grub/quote.ts'

const entry = { id: 'x', title: 'X', linux: '/vmlinuz', initrd: [], options: 'quiet' }
const menu = { uuid: '0000', timeout: 0, entry }

test.each([
  ['root=UUID=ABCD-1234', 'root=UUID=ABCD-1234'],
  ['$(reboot)', "'$(reboot)'"],
  ['a;b', "'a;b'"],
  ['a{b}', "'a{b}'"],
  ["Alice's", "'Alice'\\''s'"],
  ['', "''"],
  ['a\\', "'a\\'"],
])('quoteGrubWord(%j) is %s', (text, word) => {
  expect(quoteGrubWord(text)).toBe(word)
})

describe('quoteGrubArguments', () => {
  test('quotes each argument, and those with a blank as a whole', () => {
    const line = 'root=LABEL=a  dyndbg="file a.c +p" x=$y "z=1 2"'
    expect(quoteGrubArguments(line)).toBe("root=LABEL=a 'dyndbg=file a.c +p' 'x=$y' 'z=1 2'")
  })

  test.each(["x='1'", 'systemd.wants=a\\x2db.mount', 'a\nb', 'a\0'])('refuses %j', (line) => {
    expect(() => quoteGrubArguments(line)).toThrow(
      expect.objectContaining({ code: 'BOOTLOADER_TEXT_INVALID' }),
    )
  })
})

describe('formatGrubConfig', () => {
  test('uses the serial port of the kernel under BIOS', () => {
    const text = formatGrubConfig({
      ...menu,
      entry: { ...entry, options: 'console=tty0 console=ttyS1,9600n8' },
    })
    expect(text).toContain('if serial --unit=1 --speed=9600; then')
    expect(formatGrubConfig(menu)).not.toContain('serial')
  })

  test('leaves terminals that were asked for to a file of their own', () => {
    const options = 'console=ttyS1,9600n8'
    const text = formatGrubConfig({ ...menu, entry: { ...entry, options }, console: { serial: 'serial' } })
    expect(text).toContain('\nsource $prefix/console.cfg\n')
    expect(text).not.toContain('terminal_')
  })

  test('leaves initrd out where there is none', () => {
    expect(formatGrubConfig(menu)).not.toContain('initrd')
  })
})

test.each([
  [{}, ''],
  [{ terminalOutput: ['serial', 'console'] }, 'terminal_output serial console\n'],
  [
    { terminalInput: ['serial'], terminalOutput: ['gfxterm'], serial: 'serial --unit=1' },
    'serial --unit=1\nterminal_input serial\nterminal_output gfxterm\n',
  ],
])('formatGrubConsole(%j)', (console, text) => {
  expect(formatGrubConsole(console)).toBe(text)
})
