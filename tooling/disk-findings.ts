import { join } from 'node:path'
import type { Disk } from '@bootable/disk'
import { e2fsck, fsckFat, runOk, sgdiskVerify } from './oracles.ts'

/**
 * Findings of sgdisk, e2fsck and fsck.fat on a raw disk and its partitions; none for a faultless one.
 *
 * @param folder - for a copy of the partition that fsck.fat, which knows no offset, has to look at
 */
export async function diskFindings(path: string, disk: Disk, folder: string): Promise<string[]> {
  const found = await sgdiskVerify(path)
  for (const { start, size, filesystem } of disk.partitions) {
    if (filesystem?.type === 'ext4') found.push(...(await e2fsck(`${path}?offset=${start}`)))
    if (filesystem?.type !== 'vfat') continue
    const copy = join(folder, 'esp.img')
    const range = [`skip=${start}`, `count=${size}`, 'iflag=skip_bytes,count_bytes', 'conv=sparse']
    await runOk('dd', [`if=${path}`, `of=${copy}`, 'bs=1M', ...range])
    found.push(...(await fsckFat(copy)))
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
