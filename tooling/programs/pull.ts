import { openImage, unpackImage } from '@bootable/oci'
import { openRegistry, type RegistryOptions } from '@bootable/registry'
import { dumpTree } from '@bootable/tree'

/** What {@link pull} found. */
export interface Pulled {
  readonly tags: readonly string[]
  readonly digest: string
  /** The lines of `dumpTree`. */
  readonly tree: readonly string[]
  /** Code of the error for a name that is not there. */
  readonly missing: string
}

/** Everything that the reading side does, with nothing but what the web has. */
export async function pull(name: string, options: RegistryOptions = {}): Promise<Pulled> {
  const registry = openRegistry(options)
  const repository = registry.repository(name)
  const tags: string[] = []
  for await (const tag of repository.tags()) tags.push(tag)
  const image = await openImage(repository, '1')
  const tree: string[] = []
  for await (const line of dumpTree(await unpackImage(image))) tree.push(line)
  const missing = await repository.resolve('nobody').then(
    () => 'none',
    (error: { code?: string }) => error.code ?? 'unknown',
  )
  await registry.close()
  return { tags, digest: image.manifest.descriptor.digest, tree, missing }
}
