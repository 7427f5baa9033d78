import { BootableError } from '@bootable/bytes'
import type { DiskReport, ImageReport } from '@bootable/core'
import { describe, expect, it } from 'vitest'
import { formatError, formatWarning } from '../../src/render/message.ts'
import { printable } from '../../src/render/printable.ts'
import { formatReport } from '../../src/render/report.ts'
import { formatPairs, formatTable } from '../../src/render/table.ts'

describe('formatTable', () => {
  it('aligns columns, numbers to the right', () => {
    const rows = [
      ['1', 'esp', '501 MiB', ''],
      ['12', 'root', '8.5 GiB', 'label'],
    ]
    expect(formatTable(['#', 'name', 'size', 'label'], rows)).toBe(
      ' #  name     size  label\n 1  esp   501 MiB\n12  root  8.5 GiB  label\n',
    )
  })

  it('is only its head without rows', () => {
    expect(formatTable(['a', 'b'], [])).toBe('a  b\n')
  })
})

describe('formatPairs', () => {
  it('aligns values', () => {
    expect(
      formatPairs([
        ['a', '1'],
        ['long', '2'],
      ]),
    ).toBe('a     1\nlong  2\n')
    expect(formatPairs([])).toBe('')
  })

  it('lets no value write lines or colours of its own', () => {
    expect(formatPairs([['a\n', 'b\n\x1b[31mc']])).toBe('a\\x0a  b\\x0a\\x1b[31mc\n')
  })
})

describe('printable', () => {
  it('keeps letters of every script, and escapes what steers a terminal', () => {
    expect(printable('Grüße, 世界 👩‍🚀')).toBe('Grüße, 世界 👩‍🚀')
    expect(printable('\u009b31m\x7f\u202e')).toBe('\\x9b31m\\x7f\\u202e')
  })
})

describe('formatError', () => {
  it('says what happened and what to do', () => {
    const error = new BootableError('X', 'it broke\nin two', { hint: 'mend it' })
    expect(formatError(error)).toBe('error: it broke\nin two\nhint: mend it\n')
    expect(formatError(new BootableError('X', 'it broke'))).toBe('error: it broke\n')
  })

  it('shows a stack only for what nobody expected', () => {
    expect(formatError(new Error('stopped by SIGTERM'))).toBe('error: stopped by SIGTERM\n')
    expect(formatError(new TypeError('x is not a function'))).toMatch(/^error: TypeError: x is .*\n\s+at /)
    expect(formatError('text')).toBe('error: text\n')
  })

  it('escapes what a registry or an archive put into it', () => {
    expect(formatError(new BootableError('X', 'no "\x1b[2J"'))).toBe('error: no "\\x1b[2J"\n')
    expect(formatWarning({ message: 'a\nb', hint: '\x07' })).toBe('warning: a\\x0ab (\\x07)')
  })
})

describe('formatReport', () => {
  const system = {
    osRelease: { PRETTY_NAME: 'Test \x1b[1mLinux' },
    kernels: ['6.1.0'],
    bootEntries: [{ id: 'e', title: 'Test', linux: '/vmlinuz', initrd: [], options: 'rw quiet', other: {} }],
  }

  it('shows a disk', () => {
    const report: DiskReport = {
      kind: 'disk',
      format: 'qcow2',
      size: 10 * 1024 ** 3,
      uuid: 'u',
      partitions: [
        {
          number: 1,
          start: 1024 ** 2,
          size: 501 * 1024 ** 2,
          type: 'EFI System',
          uuid: 'p',
          label: '',
          filesystem: { type: 'vfat', label: 'EFI-SYSTEM', uuid: '7B77-95E7' },
        },
      ],
      system,
    }
    expect(formatReport(report)).toBe(`\
disk    qcow2, 10 GiB (10737418240 bytes), u
system  Test \\x1b[1mLinux
kernel  6.1.0

#  start     size  type        filesystem  label       uuid
1  1 MiB  501 MiB  EFI System  vfat        EFI-SYSTEM  7B77-95E7

boot entry  Test
  linux     /vmlinuz
  options   rw quiet
`)
    const { system: _, ...bare } = report
    expect(formatReport({ ...bare, note: 'damaged' })).toContain('note  damaged')
  })

  it('shows an image', () => {
    const report: ImageReport = {
      kind: 'image',
      digest: 'sha256:0',
      platform: 'linux/amd64',
      size: 1024,
      layers: [{ digest: 'sha256:1', mediaType: 'm', size: 1024 }],
      labels: { b: '2', a: 'x\ny' },
      bootable: false,
    }
    const text = formatReport(report)
    expect(text).toContain('bootable  no: neither containers.bootc nor ostree.bootable is set')
    expect(text).toMatch(/layer {6}size {2}media type\nsha256:1 {2}1 KiB {2}m\n\na {2}x\\x0ay\nb {2}2\n$/)
  })
})
