import { join } from 'node:path'
import type { Disk } from '@bootable/disk'
import { btrfsCheck, e2fsck, fsckFat, qemuImg, runOk, sgdiskVerify, xfsRepair } from './oracles.ts'

/** Checkers that know no offset. */
const CHECKERS: Readonly<Record<string, (path: string) => Promise<string[]>>> = {
  vfat: fsckFat,
  xfs: xfsRepair,
  btrfs: btrfsCheck,
}

/**
 * Findings of sgdisk and of the checkers of the filesystems on a raw disk; none for a faultless one.
 *
 * @param folder - for a copy of a partition, where a checker knows no offset
 */
export async function diskFindings(path: string, disk: Disk, folder: string): Promise<string[]> {
  const found = await sgdiskVerify(path)
  for (const { start, size, filesystem } of disk.partitions) {
    if (filesystem?.type === 'ext4') found.push(...(await e2fsck(`${path}?offset=${start}`)))
    const check = CHECKERS[filesystem?.type ?? '']
    if (!check) continue
    const copy = join(folder, 'partition.img')
    // Unlike dd, it does not read holes.
    const part = `driver=raw,offset=${start},size=${size},file.driver=file,file.filename=${path}`
    await qemuImg('convert', '--image-opts', part, '-O', 'raw', copy)
    found.push(...(await check(copy)))
  }
  return found
}

/** Bytes in use on the ext4 filesystem of a label, as `dumpe2fs` counts them. */
export async function usedBytes(path: string, disk: Disk, label: string): Promise<number> {
  const partition = disk.partitions.find(({ filesystem }) => filesystem?.label === label)
  if (!partition) throw new Error(`no filesystem ${label} on ${path}`)
  const { stdout } = await runOk('dumpe2fs', ['-h', `${path}?offset=${partition.start}`])
  const field = (name: string): number => Number(new RegExp(`^${name}: +(\\d+)$`, 'm').exec(stdout)?.[1])
  return (field('Block count') - field('Free blocks')) * field('Block size')
}
