import { join } from 'node:path'
import { openFileSource } from '@bootable/bytes/node'
import { type Disk, openDisk } from '@bootable/disk'
import { expect } from 'vitest'
import { type Converter, prepareConverter } from './converter.ts'
import { diskFindings, usedBytes } from './disk-findings.ts'
import type { Fixture } from './fixture.ts'
import { type Guest, type GuestOptions, startGuest } from './guest.ts'

/** What the user of {@link prepareOstreeConverter} logs in with. */
export const PASSWORD = 'correct horse battery'

/** The registry that machines of {@link buildMachine} are told to update from; nobody answers there. */
export const TARGET = 'registry.example.com:5000/lab/machine:stable'

/**
 * Kernel arguments of a guest in software on a machine that is busy besides: it may wait for its devices
 * longer than systemd's 90 s, and its kernel must not panic where a tick of the timer is late.
 */
export const PATIENCE = 'no_timer_check systemd.default_device_timeout_sec=600'

/** A configuration as the seed of a machine has it: a user with password, key and groups; a key for root. */
export function prepareOstreeConverter(): Promise<Converter> {
  return prepareConverter((key) => ({
    user: [
      { name: 'anna', description: 'Anna', password: PASSWORD, key, groups: ['sudo', 'crew'] },
      { name: 'root', key },
    ],
    group: [{ name: 'crew', gid: 4242 }],
    kernel: { append: PATIENCE },
  }))
}

/** A raw disk and what the checkers say about it. */
export interface CheckedMachine {
  readonly disk: string
  readonly findings: readonly string[]
}

/** A {@link CheckedMachine} whose root is ext4. */
export interface BuiltMachine extends CheckedMachine {
  /** Bytes in use on its root filesystem. */
  readonly used: number
}

/** Converts a fixture image by the command line. */
export async function buildMachine(
  converter: Converter,
  fixture: Fixture,
  name: string,
  layout: 'ostree' | 'plain' = 'ostree',
): Promise<BuiltMachine> {
  const flags = layout === 'ostree' ? ['--target-imgref', TARGET] : ['--layout', 'plain']
  const disk = await convert(converter, fixture, name, flags)
  return withDisk(disk, async (opened) => {
    const findings = await diskFindings(disk, opened, converter.folder)
    return { disk, findings, used: await usedBytes(disk, opened, 'root') }
  })
}

/** Converts a fixture image to a disk with ostree, whose layout flags and customizations decide. */
export async function buildStorageMachine(
  converter: Converter,
  fixture: Fixture,
  name: string,
  { flags = [], more = {} }: { readonly flags?: readonly string[]; readonly more?: object },
): Promise<CheckedMachine> {
  const disk = await convert(converter, fixture, name, ['--target-imgref', TARGET, ...flags], more)
  const findings = await withDisk(disk, (opened) => diskFindings(disk, opened, converter.folder))
  return { disk, findings }
}

async function convert(
  converter: Converter,
  fixture: Fixture,
  name: string,
  flags: readonly string[],
  more?: object,
): Promise<string> {
  const args = ['--type', 'raw', ...flags, `oci-archive:${fixture.archive}`]
  return join(await converter.build(args, name, more), 'image/disk.raw')
}

async function withDisk<T>(path: string, use: (disk: Disk) => Promise<T>): Promise<T> {
  const source = await openFileSource(path)
  try {
    return await use(await openDisk(source))
  } finally {
    await source.close()
  }
}

/** What a running machine says of itself. */
export interface Health {
  readonly console: string
  readonly page: string
  readonly state: string
  readonly failed: string
  readonly deployments: string
  readonly root: string
  readonly writes: string
  readonly origin: string
  readonly refs: readonly string[]
}

/** Boots a disk, waits until it is up and hands it to `use`. */
export async function withGuest<T>(
  converter: Converter,
  disk: string,
  use: (guest: Guest) => Promise<T>,
  options: Partial<GuestOptions> = {},
): Promise<T> {
  const guest = await startGuest({ disk, identity: converter.identity, ...options })
  try {
    return await use(guest)
  } finally {
    await guest.close()
  }
}

/** Asks a guest that has just been started how it is; the first login is at the console, by password. */
export async function examine(guest: Guest): Promise<Health> {
  const login = await guest.logIn('anna', PASSWORD, 'id -un; id -Gn')
  const tries = ['/etc', '/var', '/usr', '/sysroot', '/boot'].map(
    (folder) => `touch ${folder}/try 2>/dev/null && rm ${folder}/try && printf '${folder} '`,
  )
  const page = await guest.page()
  const { refs, ...answers } = await guest.askEach({
    state: 'systemctl is-system-running --wait || true',
    failed: 'systemctl --failed --no-legend --plain',
    deployments: 'ostree admin status',
    root: 'findmnt -no FSTYPE,OPTIONS /',
    writes: `{ ${tries.join('; ')}; } || true`,
    origin: 'cat /ostree/deploy/default/deploy/*.origin',
    refs: 'ostree refs --repo=/ostree/repo',
  })
  return { console: login.replace(/\s+/g, ' ').trim(), page, ...answers, refs: refs.split('\n').sort() }
}

/** What ostree says of every object in the repository of a guest; hashing them in software takes its time. */
export function fsck(guest: Guest): Promise<string> {
  return guest.ask('ostree fsck --repo=/ostree/repo 2>&1 | tail -n 1')
}

/**
 * What {@link examine} finds on a healthy machine: as on one that ostree itself has installed.
 *
 * @param root - type and options of the root filesystem
 * @param writes - folders that root may write to
 */
export function healthy({
  root,
  writes = '/etc /var',
}: {
  readonly root: RegExp
  readonly writes?: string
}): Record<keyof Health, unknown> {
  const blob = /^ostree\/container\/blob\/sha256_3A_[0-9a-f]{64}$/
  return {
    console: 'anna anna sudo crew',
    page: expect.stringContaining('bootable'),
    state: 'running',
    failed: '',
    deployments: expect.stringMatching(/^\* default [0-9a-f]{64}\.0$/m),
    root: expect.stringMatching(root),
    writes,
    origin: `[origin]\ncontainer-image-reference=ostree-unverified-registry:${TARGET}`,
    refs: expect.arrayContaining([
      expect.stringMatching(blob),
      'ostree/container/image/docker_3A__2F__2F_registry_2E_example_2E_com_3A_5000/lab/machine_3A_stable',
      'ostree/1/1/0',
    ]),
  }
}
