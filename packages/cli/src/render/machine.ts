import type { Machine } from '@bootable/core'

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
    bootloader: { kind: bootloader.kind, reason: bootloader.reason },
    seed,
    clock,
    disk: plan,
  }
}
