import { partitionTypeName } from '../gpt/types.ts'
import { mountsOf } from './content.ts'
import type { DiskPlan, DiskPlanRow } from './disk-plan.ts'

/** The partitions of a plan as rows; how they look is the caller's business. */
export function describePlan(plan: DiskPlan): DiskPlanRow[] {
  return plan.partitions.map(({ number, name, start, size, type, content }) => {
    const [mount] = mountsOf(content)
    return {
      number,
      name,
      start,
      size,
      type: partitionTypeName(type),
      filesystem: mount?.type ?? '',
      mountpoint: mount?.path ?? '',
      label: mount?.label ?? '',
      uuid: mount?.uuid ?? '',
    }
  })
}
