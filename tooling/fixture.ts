import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A real bootable image made from Debian packages. */
export interface Fixture {
  /** `oci-archive:` and the path of the archive, whose image is tagged `latest`. */
  readonly archive: string
  /** The same as an OCI layout folder. */
  readonly layout: string
  /** One JSON line for each path of the flattened root, made without reading the layers. */
  readonly manifest: string
  readonly info: { readonly kernel: string; readonly compressed: number }
}

/**
 * The fixture image of a name such as `trixie-minimal`, below the folder that `BOOTABLE_FIXTURE` names.
 * Where it is missing a line says so; where `CI` is set it is an error.
 */
export function findFixture(name: string): Fixture | undefined {
  const parent = process.env.BOOTABLE_FIXTURE
  const folder = parent === undefined ? undefined : join(parent, name)
  if (folder !== undefined && existsSync(join(folder, 'info.json'))) {
    return {
      archive: join(folder, 'image.oci.tar'),
      layout: join(folder, 'oci'),
      manifest: join(folder, 'expected.manifest'),
      info: JSON.parse(readFileSync(join(folder, 'info.json'), 'utf8')),
    }
  }
  const message = `the fixture image ${name} is missing (BOOTABLE_FIXTURE=${parent ?? 'unset'})`
  if (process.env.CI) throw new Error(message)
  console.warn(`tests skipped: ${message}`)
  return undefined
}
