import { describe, expect, it } from 'vitest'
import {
  collectKernelArguments,
  composeKernelArguments,
  parseOsRelease,
  readInstallConfiguration,
  splitKernelArguments,
} from '../src/index.ts'
import { treeOf } from './image.ts'
import { BTRFS, EFI, ROOT, SWAP, XBOOTLDR } from './mount-points.ts'

const EMPTY = { kargs: [], kargDeletes: [] }

describe('install configuration', () => {
  it('merges files by name over the folders', async () => {
    const tree = treeOf({
      'usr/lib/bootc/install/00-base.toml':
        '[install]\nkargs = ["a"]\nroot-fs-type = "xfs"\nstateroot = "base"\nblock = ["direct"]\n',
      'usr/lib/bootc/install/20-late.toml': '[install.filesystem.root]\ntype = "btrfs"\n',
      'usr/lib/bootc/install/30-hidden.toml': '[install]\nkargs = ["never"]\n',
      'etc/bootc/install/10-mine.toml': '[install]\nkargs = ["b"]\nkarg-deletes = ["quiet"]\n',
      'etc/bootc/install/30-hidden.toml': '[install]\ndiscoverable-partitions = true\n',
      'usr/lib/bootc/install/40-arm.toml': '[install]\nmatch-architectures = ["aarch64"]\nkargs = ["arm"]\n',
      'usr/lib/bootc/install/README': 'not TOML',
    })
    expect(await readInstallConfiguration(tree, 'x86_64')).toEqual({
      rootFilesystem: 'btrfs',
      stateroot: 'base',
      discoverablePartitions: true,
      kargs: ['a', 'b'],
      kargDeletes: ['quiet'],
    })
    expect((await readInstallConfiguration(tree, 'aarch64')).kargs).toEqual(['a', 'b', 'arm'])
    expect(await readInstallConfiguration(treeOf({}), 'x86_64')).toEqual(EMPTY)
  })

  it.each([
    ['[install', '/usr/lib/bootc/install/a.toml of the image is not TOML'],
    ['[install]\nkargs = "a"', 'install.kargs must be an array of texts'],
    ['install = 1', 'install must be a table'],
    ['[install.filesystem.root]\ntype = 1', 'install.filesystem.root.type must be text'],
  ])('names the file and the key of %j', async (text, message) => {
    const failure = readInstallConfiguration(treeOf({ 'usr/lib/bootc/install/a.toml': text }), 'x86_64')
    await expect(failure).rejects.toMatchObject({ code: 'CONFIGURATION_INVALID' })
    await expect(failure).rejects.toThrow(message)
  })
})

describe('kernel arguments', () => {
  const tree = treeOf({
    'usr/lib/bootc/kargs.d/10-console.toml':
      'kargs = ["console=ttyS0,115200n8", "quiet"]\nmatch-architectures = ["x86_64"]\n',
    'usr/lib/bootc/kargs.d/20-arm.toml': 'kargs = ["console=ttyAMA0"]\nmatch-architectures = ["aarch64"]\n',
    'usr/lib/bootc/kargs.d/30-debug.toml': 'kargs = [\'dyndbg="file a.c +p"\']\n',
  })

  it('stand in the order of bootc', async () => {
    const words = await collectKernelArguments(tree, {
      architecture: 'x86_64',
      installConfiguration: { kargs: ['first', 'loglevel=3'], kargDeletes: ['quiet', 'loglevel'] },
      append: 'nosmt  last="a b"',
    })
    expect(words).toEqual([
      'first',
      'console=ttyS0,115200n8',
      'dyndbg="file a.c +p"',
      'rw',
      'console=tty0',
      'console=ttyS0',
      'nosmt',
      'last="a b"',
    ])
  })

  it('can do without the defaults', async () => {
    const options = { architecture: 'aarch64', installConfiguration: EMPTY, defaults: false } as const
    expect(await collectKernelArguments(tree, options)).toEqual(['console=ttyAMA0', 'dyndbg="file a.c +p"'])
  })

  it('are split at blanks outside of quotes', () => {
    expect(splitKernelArguments('')).toEqual([])
    expect(splitKernelArguments(' a  b="c d"e\tf="open end')).toEqual(['a', 'b="c d"e', 'f="open end'])
  })

  const system = {
    layout: 'plain',
    kernelArguments: ['rw', 'console=tty0 quiet'],
    installConfiguration: EMPTY,
  } as const

  it('get the root in front, and rw once', () => {
    expect(composeKernelArguments(system, [ROOT, XBOOTLDR, EFI])).toEqual([
      `root=UUID=${ROOT.uuid}`,
      'rw',
      'console=tty0',
      'quiet',
    ])
  })

  it('get boot= for ostree and rootflags= for a subvolume', () => {
    expect(composeKernelArguments({ ...system, layout: 'ostree' }, [BTRFS, XBOOTLDR]).slice(0, 4)).toEqual([
      `root=UUID=${BTRFS.uuid}`,
      'rootflags=subvol=root,compress=zstd:1',
      'rw',
      `boot=UUID=${XBOOTLDR.uuid}`,
    ])
  })

  it('say what the initramfs has to open, and nothing of what can wait', () => {
    const luks = { type: 'luks', uuid: '11111111-0000-4000-8000-000000000000' } as const
    const data = { type: 'luks', uuid: '22222222-0000-4000-8000-000000000000' } as const
    const lvm = { type: 'lvm', group: 'vg00', volume: 'rootlv' } as const
    const root = { ...ROOT, layers: [luks, lvm] }
    const others = [
      { ...ROOT, path: '/var/data', layers: [data] },
      { ...SWAP, layers: [luks, { ...lvm, volume: 'swaplv' }] },
    ]
    expect(composeKernelArguments(system, [root, ...others]).slice(0, 4)).toEqual([
      `rd.luks.uuid=${luks.uuid}`,
      'rd.lvm.lv=vg00/rootlv',
      `root=UUID=${ROOT.uuid}`,
      'rw',
    ])
    const usr = { ...ROOT, path: '/usr', layers: [luks, { ...lvm, volume: 'usrlv' }] }
    expect(composeKernelArguments(system, [root, usr]).slice(0, 3)).toEqual([
      `rd.luks.uuid=${luks.uuid}`,
      'rd.lvm.lv=vg00/rootlv',
      'rd.lvm.lv=vg00/usrlv',
    ])
    const installConfiguration = { kargs: [], kargDeletes: ['rd.luks.uuid', 'rd.lvm.lv'] }
    expect(composeKernelArguments({ ...system, installConfiguration }, [root])[0]).toMatch(/^root=/)
  })

  it('heed the mount specifications of the image', () => {
    const installConfiguration = { ...EMPTY, rootMountSpec: 'LABEL=r', bootMountSpec: '' }
    const given = { ...system, layout: 'ostree', installConfiguration } as const
    expect(composeKernelArguments(given, [ROOT, XBOOTLDR])).toEqual([
      'root=LABEL=r',
      'rw',
      'console=tty0',
      'quiet',
    ])
    const none = { ...system, installConfiguration: { ...EMPTY, rootMountSpec: '' } }
    expect(composeKernelArguments(none, [ROOT])[0]).toBe('rw')
  })

  it('are not said twice, whichever dash their key has', () => {
    const kernelArguments = ['a-b=1', 'console=ttyS0', 'a_b=2', 'a_b=1', 'console=ttyS0', 'quiet', 'quiet']
    expect(composeKernelArguments({ ...system, kernelArguments }, []).slice(1)).toEqual([
      'a-b=1',
      'console=ttyS0',
      'a_b=2',
      'quiet',
    ])
  })

  it('are deleted in front as well, but not what the user adds', () => {
    const installConfiguration = { kargs: [], kargDeletes: ['rw boot'] }
    const given = { ...system, layout: 'ostree', installConfiguration } as const
    expect(composeKernelArguments({ ...given, kernelArguments: ['quiet'] }, [ROOT, XBOOTLDR])).toEqual([
      `root=UUID=${ROOT.uuid}`,
      'quiet',
    ])
    expect(composeKernelArguments(given, [ROOT]).slice(1)).toEqual(['rw', 'console=tty0', 'quiet'])
  })

  it('end with those of the boot entry, which replace others of their key', () => {
    const bootEntry = {
      path: 'boot/loader.1/entries/ostree-1.conf',
      title: 'Test',
      version: '1',
      linux: '/boot/ostree/vmlinuz',
      initrd: [],
      arguments: ['init=/x', 'ostree=/ostree/boot.1/default/0/0'],
    }
    const given = { ...system, bootEntry, kernelArguments: ['ostree=/old', 'quiet'] }
    expect(composeKernelArguments(given, [])).toEqual(['rw', 'quiet', ...bootEntry.arguments])
  })

  it('keep rw where a ro stands before it', () => {
    const words = composeKernelArguments({ ...system, kernelArguments: ['ro', 'rw'] }, [ROOT])
    expect(words.slice(1)).toEqual(['rw', 'ro', 'rw'])
  })
})

describe('os-release', () => {
  it('removes the quotes of the shell', () => {
    expect(
      parseOsRelease('# x\nID=fedora\nNAME="A \\"B\\" \\$C"\nX=\'a b\'\n  Y=z  \nbroken\nEMPTY=\n'),
    ).toEqual({ ID: 'fedora', NAME: 'A "B" $C', X: 'a b', Y: 'z', EMPTY: '' })
  })
})
