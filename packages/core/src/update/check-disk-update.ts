import { BootableError, type ByteSource, type RuntimeOptions } from '@bootable/bytes'
import { readDiskTree } from '@bootable/disk'
import type { ImageStore } from '@bootable/oci'
import {
  type CheckUpdateOptions,
  checkUpdate,
  isOstreeSysroot,
  readSysroot,
  requireDeployedImage,
  type UpdateCheck,
} from '@bootable/ostree'
import { registryStore } from '@bootable/registry'
import type { CoreErrorCode } from '../errors.ts'
import { type OpenedDiskFile, openDiskFile } from '../inspect/disk.ts'
import { formatImageSource, type ImageSource, parseImageSource, storeReference } from '../source.ts'

/** Options of {@link checkDiskUpdate}. */
export interface CheckDiskUpdateOptions
  extends Omit<CheckUpdateOptions, 'reference' | 'storedLayers'>,
    RuntimeOptions {
  /** Address to look at in place of the one that the machine follows: what `bootc switch` would fetch. */
  readonly image?: string
  /** Opens the place that an address names; it is closed afterwards. @defaultValue registries only, without login */
  readonly openStore?: (source: ImageSource) => Promise<ImageStore>
}

/**
 * Finds out whether the machine on a disk would find an update: reads the deployment that boots by default
 * and compares it with what its reference stands for now, as `checkUpdate` does. Nothing is written.
 *
 * @param file a disk in any format, or one that was opened
 * @throws BootableError `UPDATE_UNAVAILABLE` for a disk in the plain layout or without a deployment to boot,
 * `OSTREE_NO_IMAGE`, `SOURCE_UNSUPPORTED`, and those of the store; FormatError
 */
export async function checkDiskUpdate(
  file: ByteSource | OpenedDiskFile,
  options: CheckDiskUpdateOptions = {},
): Promise<UpdateCheck> {
  if ('disk' in file) return checkOpenedDisk(file, options)
  const opened = await openDiskFile(file, options)
  try {
    return await checkOpenedDisk(opened, options)
  } finally {
    await opened.close()
  }
}

async function checkOpenedDisk(
  { disk }: OpenedDiskFile,
  options: CheckDiskUpdateOptions,
): Promise<UpdateCheck> {
  const { image, openStore = openRegistryStore, ...rest } = options
  const tree = await readDiskTree(disk)
  if (!isOstreeSysroot(tree))
    throw unavailable('the disk has the plain layout, which is not updated from an image')
  const { deployments, storedLayers } = await readSysroot(tree, options)
  const deployment = deployments.find(({ isDefault }) => isDefault)
  if (!deployment) throw unavailable('no boot entry of the disk leads to a deployment')

  const deployed = requireDeployedImage(deployment)
  const source = parseImageSource(image ?? deployed.reference)
  const store = await openStore(source)
  try {
    return await checkUpdate({ ...deployed, reference: formatImageSource(source) }, store, {
      ...rest,
      reference: storeReference(source),
      storedLayers,
    })
  } finally {
    await store.close?.()
  }
}

async function openRegistryStore(source: ImageSource): Promise<ImageStore> {
  if (source.transport === 'docker') return registryStore(source.reference)
  const address = formatImageSource(source)
  throw new BootableError<CoreErrorCode>(
    'SOURCE_UNSUPPORTED',
    `${address} is not in a registry: openStore must be given`,
    {
      details: { source: address, transport: source.transport },
    },
  )
}

function unavailable(message: string): BootableError<CoreErrorCode> {
  return new BootableError('UPDATE_UNAVAILABLE', message, {
    hint: 'machines that update themselves are made with --layout ostree',
  })
}
