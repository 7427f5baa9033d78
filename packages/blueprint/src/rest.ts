import type * as z from 'zod'
import { type BlueprintIssue, collectIssues, formatPath, valueAt } from './issues.ts'

/**
 * The mistakes in a partition table beside those of shape. Rules that span several keys are looked at only
 * where every key has the right shape; so that people see all mistakes at once, they are applied to the
 * partitions that have it, the others left out.
 *
 * @param found what is wrong with the shape, by paths from the table
 * @param empty a partition that breaks no rule; it takes the place of the others
 */
export function issuesOfTheRest(
  schema: z.ZodType,
  table: unknown,
  found: readonly BlueprintIssue[],
  empty: object,
): BlueprintIssue[] {
  if (!Array.isArray(valueAt(table, ['partitions']))) return []
  const rest = structuredClone(table) as { partitions: unknown[] } & Record<string, unknown>
  for (const { path } of found) {
    const [key, index] = path
    if (key === 'partitions' && typeof index === 'number') rest.partitions[index] = empty
    else if (key !== 'partitions' && key !== undefined) delete rest[String(key)]
  }
  const known = new Set(found.map(({ path }) => formatPath(path)))
  const issues = collectIssues(schema.safeParse(rest).error?.issues ?? [], rest)
  return issues.filter(({ path }) => !known.has(formatPath(path)))
}
