import type { MountPoint } from './mounts.ts'

/** An encrypted volume that a machine has to open. */
export interface EncryptedVolume {
  /** Of the LUKS header. */
  readonly uuid: string
  /** The initramfs opens it already: the root filesystem is in it. */
  readonly isInitrd: boolean
}

/** The encrypted volumes in which filesystems and swap lie, each once, in the order of the mounts. */
export function encryptedVolumes(mounts: readonly MountPoint[]): EncryptedVolume[] {
  const volumes = new Map<string, EncryptedVolume>()
  for (const mount of mounts) {
    for (const layer of mount.layers ?? []) {
      if (layer.type !== 'luks') continue
      const isInitrd = isMountedByInitrd(mount) || (volumes.get(layer.uuid)?.isInitrd ?? false)
      volumes.set(layer.uuid, { uuid: layer.uuid, isInitrd })
    }
  }
  return [...volumes.values()]
}

/** Whether the initramfs mounts it: nothing can start from the root filesystem without. */
export function isMountedByInitrd({ path }: MountPoint): boolean {
  return path === '/' || path === '/usr'
}

/**
 * Adds encrypted volumes to a crypttab(5), under the names that `rd.luks.uuid=` gives them. Somebody types the
 * passphrase when the machine starts; systemd tries one that was typed before on the next volume too. Lines
 * of the image stay, but for the same names.
 *
 * `x-initrd.attach` keeps the volume of the root open until the machine has gone back to its initramfs.
 */
export function mergeCrypttab(text: string, volumes: readonly EncryptedVolume[]): string {
  const names = new Set(volumes.map(({ uuid }) => mappedName(uuid)))
  const kept = text.split('\n').filter((line) => {
    const [name = ''] = line.trim().split(/\s+/)
    return name.startsWith('#') || !names.has(name)
  })
  // The last line's newline leaves an empty text behind.
  if (kept[kept.length - 1] === '') kept.pop()
  const added = volumes.map(({ uuid, isInitrd }) => {
    const options = isInitrd ? 'luks,x-initrd.attach' : 'luks'
    return [mappedName(uuid), `UUID=${uuid}`, 'none', options].join('\t')
  })
  return [...kept, ...added].map((line) => `${line}\n`).join('')
}

/** What systemd-cryptsetup-generator(8) calls a volume of which it knows the uuid alone. */
function mappedName(uuid: string): string {
  return `luks-${uuid}`
}
