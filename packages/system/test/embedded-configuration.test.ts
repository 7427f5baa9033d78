import { describe, expect, it } from 'vitest'
import { readEmbeddedConfiguration } from '../src/index.ts'
import { treeOf } from './image.ts'

const NEW = 'usr/lib/image-builder/bootc'
const OLD = 'usr/lib/bootc-image-builder'

describe('what an image brings along', () => {
  it('is nothing where there are no files', async () => {
    expect(await readEmbeddedConfiguration(treeOf({}))).toEqual({ files: [] })
  })

  it('comes from the newer folder first', async () => {
    const older = { [`${OLD}/disk.yaml`]: 'mount_configuration: none\n' }
    expect(await readEmbeddedConfiguration(treeOf(older))).toEqual({
      disk: { mount_configuration: 'none' },
      files: [`/${OLD}/disk.yaml`],
    })
    const both = { ...older, [`${NEW}/disk.yaml`]: 'mount_configuration: fstab\n' }
    expect((await readEmbeddedConfiguration(treeOf(both))).disk).toEqual({ mount_configuration: 'fstab' })
  })

  it('is a blueprint in the older folder alone, JSON before TOML, of which two keys count', async () => {
    const toml = '[[customizations.filesystem]]\nmountpoint = "/"\nminsize = "1 kB"\n'
    const tree = treeOf({ [`${OLD}/config.toml`]: toml, [`${NEW}/config.json`]: '{"no": 1}' })
    expect(await readEmbeddedConfiguration(tree)).toEqual({
      customizations: { filesystem: [{ mountpoint: '/', minsize: 1000 }] },
      files: [`/${OLD}/config.toml`],
    })
    const json = '{"customizations": {"disk": {"minsize": 5}, "user": [{"name": "a"}]}}'
    const both = treeOf({ [`${OLD}/config.toml`]: toml, [`${OLD}/config.json`]: json })
    expect((await readEmbeddedConfiguration(both)).customizations).toEqual({ disk: { minsize: 5 } })
  })

  it('is refused with the name of the file', async () => {
    const tree = treeOf({ [`${NEW}/disk.yaml`]: 'partition_table: {type: gpt}\n' })
    const failure = readEmbeddedConfiguration(tree)
    await expect(failure).rejects.toMatchObject({ code: 'BLUEPRINT_INVALID' })
    await expect(failure).rejects.toThrow(
      `/${NEW}/disk.yaml of the image:1:1: partition_table.partitions is missing`,
    )
  })
})
