import type { DiskCustomization, FilesystemCustomization } from './blueprint.ts'
import type { EmbeddedDisk } from './embedded-disk.ts'
import { type BlueprintIssue, blueprintError, collectIssues, locate, valueAt } from './issues.ts'
import { type LoadBlueprintOptions, loadBlueprint } from './load.ts'
import { issuesOfTheRest } from './rest.ts'
import { embeddedDisk, partitionTable } from './schema/embedded-disk.ts'
import { NO_ROOT } from './schema/embedded-disk-rules.ts'
import { TextSyntaxError } from './text/position.ts'
import { parseYaml } from './text/yaml.ts'

/**
 * Reads the `disk.yaml` of an image. Unknown keys are errors; at the top, keys that hold anchors are where
 * the document keeps what it refers to.
 *
 * @throws BootableError `BLUEPRINT_INVALID`, one for all mistakes, as `loadBlueprint`
 */
export function loadEmbeddedDisk(text: string, options: { readonly name?: string } = {}): EmbeddedDisk {
  const { name = 'disk.yaml' } = options
  try {
    const { value, positions } = parseYaml(text, Object.keys(embeddedDisk.shape))
    // An empty document is no map.
    const data = value ?? {}
    const result = embeddedDisk.safeParse(data)
    if (result.success) return result.data
    const issues = collectIssues(result.error.issues, data, 'disk.yaml')
    throw blueprintError(
      name,
      [...issues, ...otherTableIssues(data, issues)].map((issue) => locate(issue, positions, [])),
    )
  } catch (error) {
    if (!(error instanceof TextSyntaxError)) throw error
    throw blueprintError(name, [{ path: [], message: error.message, ...error.position }], error)
  }
}

/** What else is wrong with a table in which something has the wrong shape. */
function otherTableIssues(data: unknown, issues: readonly BlueprintIssue[]): BlueprintIssue[] {
  const within = issues.filter(({ path }) => path[0] === 'partition_table')
  const relative = within.map((issue) => ({ ...issue, path: issue.path.slice(1) }))
  const others = issuesOfTheRest(partitionTable, valueAt(data, ['partition_table']), relative, { size: 0 })
  // The root may be among those that were left out.
  return others
    .filter(({ message }) => message !== NO_ROOT)
    .map((issue) => ({ ...issue, path: ['partition_table', ...issue.path] }))
}

/** What is heeded of the blueprint that an image brings along. */
export interface EmbeddedCustomizations {
  readonly filesystem?: readonly FilesystemCustomization[]
  readonly disk?: DiskCustomization
}

/**
 * Reads the `config.json` or `config.toml` of an image: only `filesystem` and `disk` are heeded.
 * @throws BootableError `BLUEPRINT_INVALID`
 */
export function loadEmbeddedCustomizations(
  text: string,
  options: LoadBlueprintOptions,
): EmbeddedCustomizations {
  const { filesystem, disk } = loadBlueprint(text, options).blueprint.customizations
  return { ...(filesystem && { filesystem }), ...(disk && { disk }) }
}
