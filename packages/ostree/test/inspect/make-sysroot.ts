import { toHex, utf8 } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { digestBytes } from '@bootable/oci'
import {
  createFile,
  createSymlink,
  createTree,
  ensureDirectory,
  type FileTree,
  putInode,
} from '@bootable/tree'
import { encodeCommit, type Metadata, objectPath } from '../../src/index.ts'

/** The sha256 of a text, for checksums and digests that only have to differ. */
export const sum = (text: string): string => digestBytes(utf8(text)).slice('sha256:'.length)

/** One deployment of {@link makeSysroot}; what is left out has a usual value. */
export interface MadeDeployment {
  readonly name: string
  readonly version?: string
  readonly entry?: string | false
  readonly origin?: string
  readonly metadata?: Metadata
  readonly parent?: string
  readonly options?: string
  readonly files?: Readonly<Record<string, string>>
  /** Layers whose refs are in the repository. */
  readonly blobs?: readonly string[]
}

export const STATEROOT = 'default'
export const KERNEL = '6.1.0-test'

/** The physical root of a machine as ostree leaves it, just large enough to be read. */
export function makeSysroot(deployments: readonly MadeDeployment[]): FileTree & { paths: string[] } {
  const tree = createTree()
  const text = (path: string, content: string): void => {
    putInode(tree, path, createFile(content))
  }
  for (const path of ['ostree/repo/objects', `ostree/deploy/${STATEROOT}/deploy`, 'boot/loader.1/entries']) {
    ensureDirectory(tree, path)
  }
  putInode(tree, 'boot/loader', createSymlink('loader.1'))
  putInode(tree, 'boot/boot', createSymlink('.'))
  putInode(tree, 'ostree/boot.1', createSymlink('boot.1.1'))
  const paths = deployments.map((deployment, index) => {
    const { name, metadata = new Map(), parent, files = {}, blobs = [] } = deployment
    const bytes = encodeCommit({
      metadata,
      ...(parent !== undefined && { parent }),
      subject: name,
      body: '',
      timestamp: 1_750_000_000,
      tree: sum('tree'),
      meta: sum('meta'),
    })
    const commit = toHex(nodeRuntime.createHash('sha256').update(bytes).digest())
    putInode(tree, `ostree/repo/objects/${objectPath(commit, 'commit')}`, createFile(bytes))
    for (const digest of blobs) {
      text(`ostree/repo/refs/heads/ostree/container/blob/${digest.replace(':', '_3A_')}`, `${commit}\n`)
    }
    const path = `ostree/deploy/${STATEROOT}/deploy/${commit}.${index}`
    ensureDirectory(tree, path)
    for (const [file, content] of Object.entries(files)) text(`${path}/${file}`, content)
    if (deployment.origin !== undefined) text(`${path}.origin`, deployment.origin)

    const boot = sum(`boot ${name}`)
    putInode(
      tree,
      `ostree/boot.1.1/${STATEROOT}/${boot}/0`,
      createSymlink(`../../../deploy/${STATEROOT}/deploy/${commit}.${index}`),
    )
    const kernel = `ostree/${STATEROOT}-${boot}`
    text(`boot/${kernel}/vmlinuz-${KERNEL}`, 'kernel')
    text(`boot/${kernel}/initramfs-${KERNEL}.img`, 'initramfs')
    const version = deployment.version ?? String(deployments.length - index)
    const options = deployment.options ?? `root=UUID=1 rw ostree=/ostree/boot.1/${STATEROOT}/${boot}/0`
    const entry = [
      `title Test ${name}`,
      `version ${version}`,
      `options ${options}`,
      `linux /boot/${kernel}/vmlinuz-${KERNEL}`,
      `initrd /boot/${kernel}/initramfs-${KERNEL}.img`,
    ]
    if (deployment.entry !== false) {
      text(`boot/loader.1/entries/ostree-${version}.conf`, deployment.entry ?? `${entry.join('\n')}\n`)
    }
    return path
  })
  return { ...tree, paths }
}

/** Metadata of a merge commit, and what of it the tests look at. */
export function imageMetadata(name: string, layers: readonly string[]): Metadata {
  return new Map([
    ['ostree.container.image-config', JSON.stringify(imageConfig(name, layers))],
    ['ostree.importer.version', '0.15.3'],
    ['ostree.manifest', JSON.stringify(imageManifest(name, layers))],
    ['ostree.manifest-digest', `sha256:${sum(`manifest ${name}`)}`],
  ])
}

export function imageConfig(name: string, layers: readonly string[]): object {
  return {
    architecture: 'amd64',
    os: 'linux',
    created: '2025-06-15T14:26:40Z',
    config: { Labels: { 'containers.bootc': '1', 'org.opencontainers.image.version': name } },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => `sha256:${sum(`diff ${layer}`)}`) },
  }
}

export function imageManifest(name: string, layers: readonly string[]): object {
  return {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: `sha256:${sum(`config ${name}`)}`,
      size: 100,
    },
    layers: layers.map((layer) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest: `sha256:${sum(layer)}`,
      size: layer.length * 1000,
    })),
  }
}
