import type { DescribedBootloader, Machine } from '@bootable/core'

/** A machine as plain data: what `plan --json` prints and what lies beside a built disk. */
export function describeMachine(machine: Machine): object {
  const { image, system, bootloader, plan, seed, clock, commandLine } = machine
  return {
    image: { digest: image.manifest.descriptor.digest, reference: image.reference, platform: image.platform },
    system: {
      layout: system.layout,
      ...(system.deployment && { deployment: system.deployment }),
      architecture: system.architecture,
      osRelease: system.osRelease,
      kernel: system.kernel,
      kernelArguments: commandLine,
    },
    bootloader: describeBootloader(bootloader),
    seed,
    clock,
    disk: plan,
  }
}

function describeBootloader(bootloader: DescribedBootloader): object {
  const { kind, reason, firmware, secureBoot, grubVersion, warnings } = bootloader
  return {
    kind,
    reason,
    firmware,
    ...(grubVersion !== undefined && { grubVersion }),
    ...(secureBoot && { secureBoot }),
    ...(warnings.length > 0 && { warnings }),
  }
}
