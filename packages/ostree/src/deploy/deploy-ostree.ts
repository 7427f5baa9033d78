import { BootableError, type OperationOptions, type RuntimeOptions } from '@bootable/bytes'
import type { FetchLayersOptions, Image } from '@bootable/oci'
import {
  customizeSystem,
  type DeploymentOptions,
  type InstalledSystem,
  measureFiles,
  parseArchitecture,
  readInstallConfiguration,
  readOsRelease,
  readSelinuxPolicy,
  requireBootable,
} from '@bootable/system'
import {
  createFile,
  createTree,
  ensureDirectory,
  putInode,
  type RegularFile,
  type Timestamp,
} from '@bootable/tree'
import { composefsImage } from '../composefs/image.ts'
import type { OstreeErrorCode } from '../errors.ts'
import { importImage } from '../import/import-image.ts'
import type { Checksum } from '../object/checksum.ts'
import type { Commit } from '../object/commit.ts'
import { readCommit } from '../repository/checkout.ts'
import { bootcConfig } from '../repository/config.ts'
import { createRepository } from '../repository/repository.ts'
import { writeRepository } from '../repository/write.ts'
import { readPrepareRoot } from '../sysroot/prepare-root.ts'
import { formatTargetImage } from '../sysroot/target-reference.ts'
import { formatAleph } from './aleph.ts'
import { installBootFiles } from './boot.ts'
import { collectBootFiles } from './boot-files.ts'
import { requireWritableComposefs } from './composefs-mode.ts'
import { checkoutDeployment, putDeployment } from './deployment.ts'
import { formatOrigin, formatTargetReference, typedTargetReference } from './origin.ts'
import { preparePlaces } from './places.ts'
import { checkStateroot, createStateroot } from './stateroot.ts'
import { viewDeployment } from './view.ts'

/** Options of {@link deployOstree}. */
export interface DeployOstreeOptions
  extends DeploymentOptions,
    OperationOptions,
    RuntimeOptions,
    Pick<FetchLayersOptions, 'cache' | 'limits'> {
  /**
   * Where the machine updates from, as `typedTargetReference` reads it: `quay.io/example/os:latest`,
   * `docker://…`, `oci:…`, `ostree-image-signed:docker://…`.
   */
  readonly targetReference: string
  /** @defaultValue what the image's install configuration says, else `default` */
  readonly stateroot?: string
}

/**
 * Makes a bootable image an installed system in the ostree layout, as `bootc install` leaves it: a
 * repository with the image's commits, one deployment made of hard links into it, `/var` of its stateroot,
 * the kernel in `/boot`, and an origin from which the machine updates itself.
 *
 * The commit is the image's alone. A blueprint goes into the `/etc` of the deployment, into `/var`, and into
 * the kernel arguments; what would have to change the commit is refused.
 *
 * @throws BootableError of `OstreeErrorCode`, `SystemErrorCode`, and those of `fetchLayers`
 */
export async function deployOstree(image: Image, options: DeployOstreeOptions): Promise<InstalledSystem> {
  const { runtime, signal, blueprint, targetReference } = options
  const operation = { ...(runtime && { runtime }), ...(signal && { signal }) }
  const mtime: Timestamp = { seconds: options.clock, nanoseconds: 0 }
  const architecture = parseArchitecture(image.platform.architecture)
  const labels = image.config.value.config?.Labels ?? {}
  // What is wrong with these should not show after all layers have been read.
  const reference = formatTargetImage(typedTargetReference(targetReference))
  if (options.stateroot !== undefined) checkStateroot(options.stateroot)

  const repository = createRepository(operation)
  const { commit, tree, manifestDigest, warnings } = await importImage(image, {
    ...options,
    repository,
    reference,
  })
  const kernel = requireBootable(tree, labels)
  if (kernel.uki !== undefined) throw unifiedKernel(kernel.uki)
  const deployment = checkoutDeployment(repository, commit, mtime)
  const title = titleOf(await readOsRelease(tree), readCommit(repository, commit))
  const configuration = await readInstallConfiguration(deployment, architecture)
  const stateroot = checkStateroot(options.stateroot ?? configuration.stateroot ?? 'default')

  const sysroot = createTree({ mtime })
  const boot = ensureDirectory(sysroot, 'boot', { mtime })
  const variable = createStateroot(sysroot, stateroot, deployment, mtime)
  const root = viewDeployment(deployment.root, variable, boot)
  const { etcTransient } = await readPrepareRoot(deployment)
  await preparePlaces(root, { blueprint, etcTransient, mtime })
  const customized = await customizeSystem(root, { ...options, architecture, kernel })
  await requireWritableComposefs(deployment, customized.kernelArguments)

  const path = `ostree/deploy/${stateroot}/deploy/${commit}.0`
  const signature = configuration.enforceSignaturePolicy ? 'container-policy' : 'unverified'
  const target = typedTargetReference(targetReference, { type: signature })
  const checksums = (file: RegularFile): Checksum => repository.checksum(file) as Checksum
  const composefs = await composefsImage(tree, { checksums, ...operation })
  deployment.root.entries.set('.ostree.cfs', createFile(composefs.content, { mtime }))
  putDeployment(sysroot, deployment, { stateroot, commit, path, mtime })
  putInode(sysroot, `${path}.origin`, createFile(formatOrigin(target), { mtime }))

  const bootFiles = await collectBootFiles(deployment, kernel, operation)
  const bootEntry = installBootFiles(sysroot, bootFiles, { stateroot, path, title }, mtime)
  repository.refs.set('ostree/1/1/0', commit)
  writeRepository(repository, sysroot, 'ostree/repo', { config: bootcConfig(configuration), mtime })
  const selinux = (await readSelinuxPolicy(tree)) !== undefined
  const aleph = { digest: manifestDigest, name: target.name, kernel: kernel.version, labels, selinux }
  putInode(sysroot, '.bootc-aleph.json', createFile(formatAleph(aleph), { mtime }))
  signal?.throwIfAborted()
  return {
    ...customized,
    sysroot,
    root,
    layout: 'ostree',
    bootEntry,
    deployment: { stateroot, commit, path, reference: formatTargetReference(target) },
    imageSize: measureFiles(tree),
    warnings: [...warnings, ...customized.warnings],
  }
}

/** What boot menus call the first deployment: `ostree_sysroot_deploy_tree` makes it of os-release and version. */
function titleOf(osRelease: Readonly<Record<string, string>>, { metadata }: Commit): string {
  const name = osRelease.PRETTY_NAME || osRelease.ID || 'Linux'
  const version = metadata.get('version')
  const hasVersion = typeof version !== 'string' || version === '' || name.includes(version)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a title is one line
  return `${name}${hasVersion ? '' : ` ${version}`} (ostree:0)`.replace(/[\x00-\x1f\x7f]+/g, ' ')
}

/** Its command line is part of it and names no deployment; bootc takes composefs without ostree for such images. */
function unifiedKernel(path: string): BootableError<OstreeErrorCode> {
  return new BootableError<OstreeErrorCode>(
    'OSTREE_UNIFIED_KERNEL',
    `the image carries a unified kernel image (/${path}), which cannot start a deployment of ostree`,
    {
      details: { path },
      hint: "bootc's own composefs layout is not written here; take the plain layout (--layout plain)",
    },
  )
}
