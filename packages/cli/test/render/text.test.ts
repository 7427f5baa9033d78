import { BootableError } from '@bootable/bytes'
import type { Deployment, DiskReport, ImageReport, UpdateCheck } from '@bootable/core'
import { describe, expect, it } from 'vitest'
import { formatError, formatWarning } from '../../src/render/message.ts'
import { printable } from '../../src/render/printable.ts'
import { formatReport } from '../../src/render/report.ts'
import { formatPairs, formatTable } from '../../src/render/table.ts'
import { formatUpdateCheck } from '../../src/render/update.ts'

type Digest = UpdateCheck['deployed']['digest']

describe('formatUpdateCheck', () => {
  const check: UpdateCheck = {
    reference: 'docker://quay.io/example/os:latest',
    deployed: { digest: 'sha256:1' as Digest, version: '1', created: '2025-06-15T14:26:40Z' },
    available: { digest: 'sha256:2' as Digest },
    changed: true,
    layers: { total: 12, missing: 3 },
    bytes: 5 * 1024 ** 2,
  }

  it('shows both sides and what would be fetched', () => {
    expect(formatUpdateCheck(check)).toBe(`\
image      docker://quay.io/example/os:latest
deployed   sha256:1, version 1, 2025-06-15T14:26:40Z
available  sha256:2
update     3 of 12 layers, 5 MiB to fetch
`)
  })

  it('says why there is nothing to do', () => {
    const same = { ...check, changed: false }
    expect(formatUpdateCheck(same)).toContain('none: another manifest, but of the same image')
    expect(formatUpdateCheck({ ...same, available: check.deployed })).toContain('the machine is up to date')
  })
})

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
      sectorSize: 512,
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
      boot: {
        bios: {
          firstSector: 2048,
          size: 28408,
          kernelSize: 32728,
          modules: ['fshelp', 'ext2'],
          prefix: '/boot/grub',
        },
        efi: [{ path: 'EFI/BOOT/BOOTX64.EFI', isSigned: true }],
      },
      system: {
        ...system,
        layout: 'plain',
        labels: { labelled: 0, total: 3 },
        deployments: [],
        findings: [],
      },
    }
    expect(formatReport(report)).toBe(`\
disk    qcow2, 10 GiB (10737418240 bytes), u
BIOS    GRUB, 28408 bytes at sector 2048, files in /boot/grub, with fshelp ext2
UEFI    EFI/BOOT/BOOTX64.EFI, signed
system  Test \\x1b[1mLinux
kernel  6.1.0
layout  plain
labels  none

#  start     size  type        filesystem  label       uuid
1  1 MiB  501 MiB  EFI System  vfat        EFI-SYSTEM  7B77-95E7

boot entry  Test
  linux     /vmlinuz
  options   rw quiet
`)
    const { system: _, ...bare } = report
    expect(formatReport({ ...bare, note: 'damaged' })).toContain('note  damaged')
  })

  it('shows the deployments of a disk with ostree', () => {
    const commit = '0123456789ab'.padEnd(64, '0')
    const path = `ostree/deploy/default/deploy/${commit}.0`
    const deployment: Deployment = {
      path,
      stateroot: 'default',
      commit,
      serial: 0,
      isDefault: true,
      bootEntry: {
        path: 'boot/loader.1/entries/ostree-2.conf',
        title: 'Test',
        initrd: [],
        options: 'rw quiet',
      },
      kernelArguments: ['rw', 'quiet'],
      kernelVersion: '6.1.0',
      origin: {
        image: { transport: 'docker', name: 'quay.io/example/os:latest', signature: { type: 'unverified' } },
        pinned: true,
        localChanges: [],
      },
      base: 'b',
      image: {
        manifestDigest: 'sha256:1' as Digest,
        version: '42.1',
        labels: {},
        layers: [{ digest: 'sha256:2' as Digest, size: 2048, stored: true }],
      },
      labels: { labelled: 5, total: 5 },
      composefs: { image: true, enabled: 'yes' },
      findings: [],
    }
    const older: Deployment = {
      path,
      stateroot: 'default',
      commit,
      serial: 1,
      isDefault: false,
      kernelArguments: [],
      origin: { refspec: 'fixture/x86_64', pinned: false, localChanges: [] },
      labels: { labelled: 2, total: 5 },
      composefs: { image: false, enabled: 'no' },
      findings: [{ path: 'boot/x', message: 'odd\x1b' }],
    }
    const text = formatReport({
      kind: 'disk',
      format: 'raw',
      size: 1024,
      sectorSize: 4096,
      uuid: 'u',
      partitions: [],
      system: {
        ...system,
        layout: 'ostree',
        labels: deployment.labels,
        deployments: [deployment, older],
        findings: [],
      },
    })
    expect(text.slice(text.indexOf('deployment'))).toBe(`\
deployment   Test, boots by default, pinned
  image      docker://quay.io/example/os:latest (signature not required)
  digest     sha256:1
  version    42.1
  layers     1, 2 KiB
  commit     ${commit}.0 of stateroot default
  base       b
  kernel     6.1.0
  options    rw quiet
  labels     all 5 names
  composefs  there is an image, asked for: yes

deployment   0123456789ab.1
  image      none: follows fixture/x86_64
  commit     ${commit}.1 of stateroot default
  kernel     unknown
  labels     2 of 5 names
  composefs  no image, asked for: no
  finding    /boot/x: odd\\x1b
`)
    expect(text).toContain('layout  ostree\n')
    expect(text).toContain('disk    raw, 1 KiB (1024 bytes), sectors of 4096 bytes, u\n')
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
