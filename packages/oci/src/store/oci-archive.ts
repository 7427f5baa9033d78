import type { ByteSource, RuntimeOptions } from '@bootable/bytes'
import { openArchive } from './archive.ts'
import { contentStore } from './content.ts'
import { layoutBackend, readIndex } from './layout.ts'
import { readOnly } from './read-only.ts'
import type { ImageStore } from './store.ts'

/** Options of stores that read an archive. */
export interface ArchiveOptions extends RuntimeOptions {
  /** For messages. @defaultValue the kind of the archive */
  readonly name?: string
}

/**
 * The images of an oci-archive: an OCI image layout in a tar archive, as skopeo, podman and BuildKit write
 * it. Its members are read where they lie.
 *
 * @param source closed together with the store
 * @throws FormatError when it is not one, is compressed, or was cut
 */
export async function ociArchiveStore(source: ByteSource, options: ArchiveOptions = {}): Promise<ImageStore> {
  const { name = 'oci-archive' } = options
  const files = await openArchive(source, name)
  await readIndex(files)
  return {
    ...contentStore(layoutBackend(files), options),
    ...readOnly(name),
    close: async () => source.close?.(),
  }
}
