import { findOutputType, OUTPUT_TYPES, outputFileName } from '@bootable/core'
import { folderImageOutputs, folderOutputs, imageOutput, imageTarget } from '@bootable/core/node'
import { describe, expect, it } from 'vitest'

const paths = (...types: string[]): string[] => folderOutputs('out', types).map(({ path }) => path)

describe('output types', () => {
  it('lie where bootc-image-builder puts them', () => {
    expect(OUTPUT_TYPES.map(({ type, folder, file }) => `${type}: ${folder}/${file}`)).toEqual([
      'qcow2: qcow2/disk.qcow2',
      'raw: image/disk.raw',
      'ami: image/disk.raw',
      'vmdk: vmdk/disk.vmdk',
      'ova: archive/image.ova',
      'vhd: vpc/disk.vhd',
      'vhdx: vhdx/disk.vhdx',
      'gce: gce/image.tar.gz',
      'raw.gz: image/disk.raw.gz',
      'raw.zst: image/disk.raw.zst',
      'vhd.gz: vpc/disk.vhd.gz',
      'vhd.zst: vpc/disk.vhd.zst',
      'vhdx.gz: vhdx/disk.vhdx.gz',
      'vhdx.zst: vhdx/disk.vhdx.zst',
    ])
  })

  it('are called as the first of them', () => {
    expect(paths('gce', 'qcow2', 'raw.zst', 'ova')).toEqual([
      'out/gce/image.tar.gz',
      'out/qcow2/image.qcow2',
      'out/image/image.raw.zst',
      'out/archive/image.ova',
    ])
    expect(paths('vhd', 'gce', 'ova')).toEqual([
      'out/vpc/disk.vhd',
      'out/gce/disk.tar.gz',
      'out/archive/disk.ova',
    ])
    expect(outputFileName(findOutputType('gce'), findOutputType('raw.gz'))).toBe('disk.tar.gz')
  })

  it('share a file where they are the same bytes, under any of their names', () => {
    expect(paths('ami', 'raw', 'vsphere-ova', 'ova', 'ami')).toEqual([
      'out/image/disk.raw',
      'out/archive/disk.ova',
    ])
  })

  it.each([
    ['anaconda-iso', /installers/],
    ['iso', /installers/],
    ['pxe-tar-xz', /installers/],
    ['oci', /containerdisk/],
    ['azure', /vhd/],
    ['raw,qcow2', /several times/],
    ['qcow2.gz', /compressed as it is.*raw\.gz/],
    ['gce.zst', /compressed as it is/],
    ['ami.gz', /raw\.gz/],
    ['raw.xz', /types: /],
    ['toString', /types: /],
    ['', /types: /],
  ])('"%s" is refused, and why', (type, hint) => {
    expect(() => folderOutputs('out', [type])).toThrow(
      expect.objectContaining({ code: 'OUTPUT_TYPE_UNKNOWN', hint: expect.stringMatching(hint) }),
    )
  })
})

describe('image outputs', () => {
  it('go to archives below the folder, or to the place that is named', () => {
    const addresses = (types: string[], destination?: string): string[] =>
      folderImageOutputs('out', types, destination).map(({ path }) => path)
    expect(addresses(['qcow2', 'containerdisk', 'artifact', 'artifact'])).toEqual([
      'oci-archive:out/containerdisk/disk.oci.tar',
      'oci-archive:out/artifact/disk.oci.tar',
    ])
    expect(addresses(['containerdisk'], 'oci:images:vm')).toEqual(['oci:images:vm'])
    expect(addresses(['qcow2'])).toEqual([])
  })

  it('refuse a destination for none or two, and places that are not written', () => {
    for (const types of [['qcow2'], ['containerdisk', 'artifact']]) {
      expect(() => folderImageOutputs('out', types, 'oci:x')).toThrow(
        expect.objectContaining({ code: 'DESTINATION_INVALID' }),
      )
    }
    for (const place of ['docker-archive:x.tar', 'dir:x', 'docker-daemon:x:1', 'containers-storage:x']) {
      expect(() => imageOutput('containerdisk', place), place).toThrow(
        expect.objectContaining({ code: 'SOURCE_UNSUPPORTED' }),
      )
    }
  })
})

it('a name goes where the address of a target has none', () => {
  const address = (text: string, name: string): string => imageTarget(text, { name }).address
  expect(address('docker://localhost/a', 'v2')).toBe('docker://localhost/a:v2')
  expect(address('docker://localhost/a:1', 'v2')).toBe('docker://localhost/a:1')
  expect(address('docker://localhost/a', 'quay.io/a/b:1')).toBe('docker://localhost/a')
  expect(address('oci:folder', 'v2')).toBe('oci:folder:v2')
  expect(address('oci:folder:x', 'v2')).toBe('oci:folder:x')
})
