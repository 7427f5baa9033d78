import type { EmbeddedCustomizations, EmbeddedDisk } from '@bootable/blueprint'
import { type FileTree, findFile } from '@bootable/tree'
import { readText } from './edit.ts'

/** What an image brings along for the builder of its disk (image-builder, "embedded configuration"). */
export interface EmbeddedConfiguration {
  /** `disk.yaml` */
  readonly disk?: EmbeddedDisk
  /** What is heeded of `config.json` or `config.toml`: `filesystem` and `disk`. */
  readonly customizations?: EmbeddedCustomizations
  /** The files that were read, absolute paths in the image. */
  readonly files: readonly string[]
}

/** The one that image-builder knows, and the older one of bootc-image-builder. */
const FOLDERS = ['usr/lib/image-builder/bootc', 'usr/lib/bootc-image-builder'] as const

/**
 * Reads the partition table and the blueprint of an image: `disk.yaml` in the first folder that has one, and
 * `config.json`, else `config.toml`, in the older folder.
 *
 * @throws BootableError `BLUEPRINT_INVALID`, with the file and every mistake in it; `CONFIGURATION_INVALID`
 * for one that is not UTF-8
 */
export async function readEmbeddedConfiguration(root: FileTree): Promise<EmbeddedConfiguration> {
  const diskFile = FOLDERS.map((folder) => `${folder}/disk.yaml`).find((path) => findFile(root, path))
  const format = (['json', 'toml'] as const).find((ending) =>
    findFile(root, `${FOLDERS[1]}/config.${ending}`),
  )
  if (diskFile === undefined && format === undefined) return { files: [] }
  // The schemas take 80 ms to load, which images without such files need not pay.
  const { loadEmbeddedCustomizations, loadEmbeddedDisk } = await import('@bootable/blueprint')
  const files: string[] = []
  const read = async (path: string): Promise<string> => {
    files.push(`/${path}`)
    return (await readText(root, path)) ?? ''
  }
  const disk = diskFile && loadEmbeddedDisk(await read(diskFile), { name: `/${diskFile} of the image` })
  const config = format && `${FOLDERS[1]}/config.${format}`
  const customizations =
    config && loadEmbeddedCustomizations(await read(config), { format, name: `/${config} of the image` })
  return { ...(disk && { disk }), ...(customizations && { customizations }), files }
}
