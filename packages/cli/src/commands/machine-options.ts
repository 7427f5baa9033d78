import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import type { Blueprint, LoadedBlueprint } from '@bootable/blueprint'
import { BootableError, parseSize } from '@bootable/bytes'
import type { Firmware, RootFilesystem } from '@bootable/core'
import type { FileMachineOptions } from '@bootable/core/node'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { readPassphrase } from './passphrase.ts'
import { addPolicyFlags, type PolicyFlags, readPolicyFlags } from './policy-options.ts'

/** Flags of every command that turns an image into a machine, as commander hands them over. */
export interface MachineFlags extends PolicyFlags {
  readonly config?: string
  readonly rootfs?: RootFilesystem
  readonly size?: number | 'minimum'
  readonly sectorSize?: '512' | '4096'
  readonly luksPassphraseFile?: string
  readonly bootloader?: 'auto' | 'grub' | 'systemd-boot' | 'uki' | 'none'
  readonly firmware?: readonly Firmware[]
  readonly secureBoot?: true
  readonly layout?: 'auto' | 'ostree' | 'plain'
  readonly targetImgref?: string
  readonly stateroot?: string
  readonly targetArch?: string
  readonly seed?: string
  readonly updates?: 'on' | 'off'
  readonly cache: string | boolean
  readonly defaultKernelArgs: boolean
  readonly tlsVerify: boolean
}

/** Adds the flags of {@link MachineFlags} to a command. */
export function addMachineFlags(command: Command): Command {
  return addPolicyFlags(command)
    .option('--config <file>', 'blueprint, TOML or JSON by its ending; - reads JSON from standard input')
    .addOption(new Option('--rootfs <type>', 'root filesystem').choices(['ext4', 'xfs', 'btrfs']))
    .option('--size <size>', 'size of the disk, such as "20 GiB"; "minimum" for what fits', parseDiskSize)
    .addOption(
      new Option('--sector-size <bytes>', 'logical sectors of the disk; 4096 starts by UEFI alone').choices([
        '512',
        '4096',
      ]),
    )
    .option(
      '--luks-passphrase-file <file>',
      'passphrase of all encrypted volumes; a newline at its end is not part of it; - reads standard input',
    )
    .addOption(
      new Option('--bootloader <name>', 'boot loader')
        .choices(['auto', 'grub', 'systemd-boot', 'uki', 'none'])
        .default('auto'),
    )
    .option('--firmware <list>', 'what the disk has to start on: bios, uefi, or both', parseFirmware)
    .option('--secure-boot', 'warn where a program up to the kernel is not signed')
    .addOption(
      new Option('--layout <name>', 'layout of the installed system')
        .choices(['auto', 'ostree', 'plain'])
        .default('auto'),
    )
    .option('--target-imgref <image>', 'where the machine updates from, if not from <image>')
    .option('--stateroot <name>', 'name of the stateroot in the ostree layout')
    .option('--target-arch <arch>', 'architecture to pick from an image index, such as arm64')
    .addOption(
      new Option('--updates <choice>', 'automatic updates, whatever the image and the blueprint say').choices(
        ['on', 'off'],
      ),
    )
    .option('--seed <text>', 'seed of all uuids and salts')
    .option('--cache <folder>', 'folder for decompressed layers')
    .option('--no-cache', 'decompress into a temporary folder')
    .option('--no-default-kernel-args', 'leave out rw console=tty0 console=ttyS0')
    .option('--no-tls-verify', 'allow plain http and any certificate')
}

function parseDiskSize(value: string): number | 'minimum' {
  if (value === 'minimum') return value
  try {
    return parseSize(value)
  } catch (error) {
    if (!BootableError.is(error)) throw error
    throw new InvalidArgumentError(`${error.message}; ${error.hint}`)
  }
}

function parseFirmware(value: string): Firmware[] {
  const names = value.split(',').map((name) => name.trim())
  const unknown = names.find((name) => name !== 'bios' && name !== 'uefi')
  if (unknown === undefined) return [...new Set(names as Firmware[])]
  throw new InvalidArgumentError(`"${unknown}" is neither bios nor uefi.`)
}

/** The options of `@bootable/core/node` that the flags stand for, and what the blueprint had to say. */
export async function readMachineFlags(
  image: string,
  flags: MachineFlags,
): Promise<{ options: FileMachineOptions; warnings: LoadedBlueprint['warnings'] }> {
  const { config, luksPassphraseFile } = flags
  if (config === '-' && luksPassphraseFile === '-') {
    throw new BootableError(
      'STANDARD_INPUT_TWICE',
      'standard input cannot be both blueprint and passphrase',
      {
        hint: 'put one of them into a file',
      },
    )
  }
  const loaded = config === undefined ? undefined : await readBlueprint(config)
  const luksPassphrase =
    luksPassphraseFile === undefined ? undefined : await readPassphrase(luksPassphraseFile)
  const policy = await readPolicyFlags(flags)
  const blueprint = withUpdates(loaded?.blueprint, flags.updates)
  const options: FileMachineOptions = {
    image,
    ...(blueprint && { blueprint }),
    ...(flags.rootfs && { rootfs: flags.rootfs }),
    ...(flags.size !== undefined && { size: flags.size }),
    ...(flags.sectorSize && { sectorSize: flags.sectorSize === '4096' ? 4096 : 512 }),
    ...(luksPassphrase && { luksPassphrase }),
    ...(flags.bootloader && { bootloader: flags.bootloader }),
    ...(flags.firmware && { firmware: flags.firmware }),
    ...(flags.secureBoot && { secureBoot: 'required' }),
    ...(flags.layout && { layout: flags.layout }),
    ...(flags.targetImgref !== undefined && { targetReference: flags.targetImgref }),
    ...(flags.stateroot !== undefined && { stateroot: flags.stateroot }),
    ...(flags.targetArch !== undefined && { platform: flags.targetArch }),
    ...(flags.seed !== undefined && { seed: flags.seed }),
    ...(flags.cache !== true && { cache: flags.cache as string | false }),
    ...(!flags.defaultKernelArgs && { defaultKernelArguments: false }),
    ...(!flags.tlsVerify && { registry: { insecure: true } }),
    ...(policy && { policy }),
  }
  return { options, warnings: loaded?.warnings ?? [] }
}

/** The command line has the last word on updates. */
function withUpdates(
  blueprint: Blueprint | undefined,
  updates: MachineFlags['updates'],
): Blueprint | undefined {
  if (updates === undefined) return blueprint
  const customizations = { ...blueprint?.customizations, updates: { enabled: updates === 'on' } }
  return { ...blueprint, customizations }
}

async function readBlueprint(path: string): Promise<LoadedBlueprint> {
  // zod takes 80 ms to load, which `bootable --help` need not pay.
  const { loadBlueprint } = await import('@bootable/blueprint')
  if (path === '-')
    return loadBlueprint(await text(process.stdin), { format: 'json', name: 'standard input' })
  const format = path.endsWith('.json') ? 'json' : path.endsWith('.toml') ? 'toml' : undefined
  if (!format) {
    throw new BootableError('CONFIG_UNKNOWN', `${path} is neither .json nor .toml`, {
      details: { path },
      hint: 'a blueprint is TOML or JSON, and its name says which',
    })
  }
  const content = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new BootableError(
      'CONFIG_NOT_READABLE',
      `cannot read the blueprint ${path}: ${(cause as Error).message}`,
      {
        details: { path },
        cause,
      },
    )
  })
  return loadBlueprint(content, { format, name: path })
}
