import { describe, expect, it } from 'vitest'
import { type DeployPlainOptions, deployPlain, requireBootable } from '../src/index.ts'
import { bootableImage, CLOCK, LABELS, textOf, treeOf } from './image.ts'

const OPTIONS: DeployPlainOptions = { architecture: 'amd64', labels: LABELS, seed: 'seed', clock: CLOCK }
const UKI = 'boot/EFI/Linux/os-1.efi'

describe('requireBootable', () => {
  it.each<[what: string, files: string[], version: string, uki: string | undefined]>([
    ['an installed one', [UKI], 'os-1', UKI],
    ['an installed one with its modules', [UKI, 'usr/lib/modules/6.1/modules.dep'], '6.1', UKI],
    ['an installed one before another kernel', [UKI, 'usr/lib/modules/6.1/vmlinuz'], '6.1', UKI],
    ['one beside the modules', ['usr/lib/modules/6.1/a.efi'], '6.1', 'usr/lib/modules/6.1/a.efi'],
    ['none', ['usr/lib/modules/6.1/a.efi', 'usr/lib/modules/6.1/vmlinuz'], '6.1', undefined],
  ])('starts %s', (_, files, version, uki) => {
    const tree = treeOf(Object.fromEntries(files.map((path) => [path, 'x'])))
    expect(requireBootable(tree)).toEqual({
      version,
      vmlinuz: uki ?? 'usr/lib/modules/6.1/vmlinuz',
      ...(uki && { uki }),
    })
  })

  it('refuses two', () => {
    const tree = treeOf({ [UKI]: 'x', 'boot/EFI/Linux/os-2.efi': 'x' })
    expect(() => requireBootable(tree)).toThrow(
      `the image has 2 kernels, a machine boots one: /${UKI}, /boot/`,
    )
  })
})

describe('deployPlain with a unified kernel image', () => {
  it('leaves out what would change the system, and says so', async () => {
    const system = await deployPlain(bootableImage({ [UKI]: 'x' }), {
      ...OPTIONS,
      blueprint: {
        customizations: {
          user: [{ name: 'anna' }],
          files: [],
          kernel: { append: 'quiet' },
          filesystem: [{ mountpoint: '/', minsize: 1 }],
        },
      },
    })
    expect(system.kernelArguments).toEqual([])
    expect(await textOf(system.root, 'etc/passwd')).not.toContain('anna')
    expect(system.warnings).toEqual([
      expect.objectContaining({
        message: `the image carries a unified kernel image (/${UKI}) and is installed as it is; left out: customizations.user, customizations.kernel`,
      }),
    ])
  })

  it('says nothing where nothing is left out', async () => {
    expect((await deployPlain(bootableImage({ [UKI]: 'x' }), OPTIONS)).warnings).toEqual([])
  })
})
