import {
  type OperationOptions,
  portableRuntime,
  type RuntimeOptions,
  streamSource,
  toHex,
} from '@bootable/bytes'
import type { Kernel } from '@bootable/system'
import {
  type Directory,
  type FileTree,
  findDirectory,
  findFile,
  type RegularFile,
  walkTree,
} from '@bootable/tree'
import type { Checksum } from '../object/checksum.ts'

/** A file of `/boot/ostree/<stateroot>-<checksum>`. */
export interface BootFile {
  /** Name in that directory. */
  readonly name: string
  /** The inode of the deployment. */
  readonly inode: RegularFile | Directory
}

/** What the firmware or boot loader of a deployment needs outside of it. */
export interface BootFiles {
  /** ostree's boot checksum: SHA-256 over kernel, initramfs and device trees. */
  readonly checksum: Checksum
  readonly linux: string
  readonly initrd?: string
  readonly devicetree?: string
  /** Directory of device trees of which the boot loader chooses one. */
  readonly fdtdir?: string
  readonly aboot?: string
  readonly files: readonly BootFile[]
}

/**
 * Collects what ostree copies from `usr/lib/modules/<version>` to `/boot` (`get_kernel_layout` of
 * ostree-sysroot-deploy.c), and reads it for the boot checksum.
 */
export async function collectBootFiles(
  tree: FileTree,
  kernel: Kernel,
  options: OperationOptions & RuntimeOptions = {},
): Promise<BootFiles> {
  const { version } = kernel
  const folder = `usr/lib/modules/${version}`
  const files: BootFile[] = []
  const take = (path: string | undefined, name: string): string | undefined => {
    const inode = path === undefined ? undefined : findFile(tree, path)
    if (inode) files.push({ name, inode })
    return inode && name
  }
  const linux = take(kernel.vmlinuz, `vmlinuz-${version}`) as string
  const initrd = take(kernel.initramfs, `initramfs-${version}.img`)
  const devicetree = take(`${folder}/devicetree`, `devicetree-${version}`)
  const dtb = devicetree === undefined ? findDirectory(tree, `${folder}/dtb`) : undefined
  if (dtb) files.push({ name: 'dtb', inode: dtb })
  const checksum = await checksumOf(files, options)
  take(`${folder}/.vmlinuz.hmac`, `.vmlinuz-${version}.hmac`)
  const aboot = take(`${folder}/aboot.img`, `aboot-${version}.img`)
  return {
    checksum,
    linux,
    ...(initrd !== undefined && { initrd }),
    ...(devicetree !== undefined && { devicetree }),
    ...(dtb && { fdtdir: 'dtb' }),
    ...(aboot !== undefined && { aboot }),
    files,
  }
}

async function checksumOf(
  files: readonly BootFile[],
  { runtime = portableRuntime, signal }: OperationOptions & RuntimeOptions,
): Promise<Checksum> {
  const hash = runtime.createHash('sha256')
  const contents = files.flatMap(({ inode }) => (inode.type === 'file' ? [inode] : filesBelow(inode)))
  for (const { content } of contents) {
    for await (const chunk of streamSource(content, signal ? { signal } : {})) hash.update(chunk)
  }
  return toHex(hash.digest())
}

function filesBelow(root: Directory): RegularFile[] {
  return [...walkTree({ root })].flatMap(({ inode }) => (inode.type === 'file' ? [inode] : []))
}
