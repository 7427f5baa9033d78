import * as z from 'zod'
import { document } from './schema/customizations.ts'

/**
 * The blueprint as JSON Schema (2020-12), for editors: what may be written, in JSON without the wrapper
 * and in TOML alike. Rules that span several keys are checked by `loadBlueprint` only.
 */
export function blueprintJsonSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(document, { io: 'input' }) }
}
