import type { Blueprint } from '@bootable/blueprint'
import { unheededCustomizations } from '@bootable/blueprint/rules'
import { type DescribedBootloader, type GrubConsole, installBootloader } from '@bootable/bootloader'
import { BootableError, type ProgressEvent, portableRuntime } from '@bootable/bytes'
import { type DiskPlan, type LuksSecrets, planDisk } from '@bootable/disk'
import { type FetchLayersOptions, type Image, memoryLayerCache, unpackImage } from '@bootable/oci'
import { deployOstree, formatTargetImage, labelOstree, parseTargetReference } from '@bootable/ostree'
import { enforcePolicy } from '@bootable/signatures'
import {
  checkMountPoints,
  type DeploymentOptions,
  deployPlain,
  type InstalledSystem,
  labelPlain,
  type MountPoint,
  type SystemWarning,
  splitKernelArguments,
  sysrootPath,
  writeMounts,
} from '@bootable/system'
import { ensureDirectory } from '@bootable/tree'
import type { CoreErrorCode } from '../errors.ts'
import { deriveSeed, imageTime } from '../seed.ts'
import { requestDisk } from './disk-request.ts'
import { chooseLayout } from './layout.ts'
import type { MachineOptions } from './options.ts'

/** Everything that is known about a disk before its first byte is written. */
export interface Machine {
  readonly image: Image
  readonly system: InstalledSystem
  readonly mounts: readonly MountPoint[]
  readonly bootloader: DescribedBootloader
  /** The kernel's whole command line, word by word. */
  readonly commandLine: readonly string[]
  readonly plan: DiskPlan
  /** What opens the encrypted volumes of the plan; `writeDisk` takes it. It is not to be shown. */
  readonly secrets: LuksSecrets
  readonly seed: string
  /** Seconds since 1970. */
  readonly clock: number
}

/**
 * The pipeline up to the plan: layers are unpacked, the system is customised and made bootable, and the
 * disk is planned. `writeDisk(machine.plan, machine.system, device, { secrets: machine.secrets })` does the
 * rest.
 *
 * @throws BootableError of every step; nothing has been written to an artifact by then
 */
export async function prepareMachine(image: Image, options: MachineOptions = {}): Promise<Machine> {
  const { blueprint, runtime = portableRuntime, signal, policy } = options
  if (policy) await enforcePolicy(image, policy.policy, { ...policy, ...(signal && { signal }) })
  const onProgress = options.onProgress && tellOnce(options.onProgress)
  const operation = { ...(signal && { signal }), ...(onProgress && { onProgress }), runtime }
  for (const { key, message } of blueprint ? unheededCustomizations(blueprint, 'disk') : []) {
    onProgress?.({ type: 'warning', message: `${key} ${message}` })
  }
  const seed = options.seed ?? deriveSeed(image, blueprint, runtime)
  const clock = options.clock ?? imageTime(image)
  checkClock(clock)

  const deployed = await deployImage(image, {
    ...options,
    ...operation,
    seed,
    clock,
    cache: options.cache ?? memoryLayerCache(),
  })
  for (const warning of deployed.warnings) onProgress?.({ type: 'warning', ...warning })

  const request = await requestDisk(deployed, { ...options, ...operation, seed })
  const { mounts, type: partitionTable, sectorSize } = request.outline
  for (const warning of checkMountPoints(deployed, mounts)) onProgress?.({ type: 'warning', ...warning })
  await writeMounts(deployed, mounts, {
    clock,
    ...(request.mountStyle && { style: request.mountStyle }),
  })
  const { bootCode, commandLine, ...bootloader } = await installBootloader(deployed, mounts, {
    ...operation,
    clock: { seconds: clock, nanoseconds: 0 },
    ...terminals(blueprint),
    bootloader: options.bootloader ?? 'auto',
    sectorSize,
    partitionTable,
    ...(options.firmware && { firmware: options.firmware }),
    ...(options.secureBoot && { secureBoot: options.secureBoot }),
  })
  const system = bootCode ? { ...deployed, bootCode } : deployed
  onProgress?.({ type: 'note', message: bootloader.reason })
  for (const warning of bootloader.warnings) onProgress?.({ type: 'warning', ...warning })
  makeLostAndFound(system, mounts, clock)
  await (system.layout === 'ostree' ? labelOstree(system, mounts) : labelPlain(system))
  const plan = planDisk(system, request.options)
  return {
    image,
    system,
    mounts,
    bootloader,
    commandLine: splitKernelArguments(commandLine),
    plan,
    secrets: request.secrets,
    seed,
    clock,
  }
}

/** Where GRUB is to show its menu, if the blueprint says so. */
function terminals(blueprint: Blueprint | undefined): { grubConsole?: GrubConsole } {
  const grub2 = blueprint?.customizations.bootloader?.grub2
  if (!grub2) return {}
  const { terminal_input: terminalInput, terminal_output: terminalOutput, serial } = grub2
  return {
    grubConsole: {
      ...(terminalInput && { terminalInput }),
      ...(terminalOutput && { terminalOutput }),
      ...(serial !== undefined && { serial }),
    },
  }
}

/** Every ext4 has a `lost+found`; one that is in the tree gets its SELinux label with everything else. */
function makeLostAndFound(system: InstalledSystem, mounts: readonly MountPoint[], clock: number): void {
  const attributes = { mode: 0o700, mtime: { seconds: clock, nanoseconds: 0 } }
  for (const { path, type } of mounts) {
    if (type !== 'ext4') continue
    ensureDirectory(system.sysroot, `${sysrootPath(system, path)}/lost+found`, attributes)
  }
}

/** Chooses the layout and deploys the image in it. */
async function deployImage(
  image: Image,
  options: MachineOptions & DeploymentOptions & FetchLayersOptions,
): Promise<InstalledSystem> {
  const { onProgress, targetReference } = options
  const { layout, problem } = await chooseLayout(image, options)
  if (problem !== undefined) {
    onProgress?.({ type: options.layout === 'ostree' ? 'warning' : 'note', message: problem })
  }
  if (layout === 'plain') {
    return deployPlain(await unpackImage(image, options), {
      ...options,
      architecture: image.platform.architecture,
      labels: image.config.value.config?.Labels ?? {},
    })
  }
  if (targetReference !== undefined) {
    const system = await deployOstree(image, { ...options, targetReference })
    return { ...system, warnings: [...system.warnings, ...warnOfTarget(system)] }
  }
  throw new BootableError<CoreErrorCode>(
    'TARGET_REFERENCE_MISSING',
    'nobody has said where the machine updates from',
    { hint: 'give targetReference, such as quay.io/example/os:latest, or the layout plain' },
  )
}

/** An address of files means something here, but most often nothing to the machine. */
function warnOfTarget({ deployment }: InstalledSystem): SystemWarning[] {
  const target = deployment && parseTargetReference(deployment.reference)
  if (!target || target.transport === 'docker') return []
  return [
    {
      message: `the machine will look for updates on its own disk, in ${formatTargetImage(target)}`,
      hint: 'name an image in a registry as the target (--target-imgref quay.io/example/os:latest)',
    },
  ]
}

/** Progress, but not that a thing is there which has been told of before: layers are asked for twice. */
function tellOnce(onProgress: (event: ProgressEvent) => void): (event: ProgressEvent) => void {
  const told = new Set<string>()
  return (event) => {
    if (event.type === 'skip' && told.has(event.id)) return
    if ('id' in event) told.add(event.id)
    onProgress(event)
  }
}

function checkClock(clock: number): void {
  if (Number.isSafeInteger(clock) && clock >= 0) return
  throw new BootableError<CoreErrorCode>(
    'CLOCK_INVALID',
    `${clock} is no whole number of seconds since 1970`,
    {
      details: { clock },
    },
  )
}
