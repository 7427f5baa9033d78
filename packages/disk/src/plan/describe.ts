import { partitionTypeName } from '../gpt/types.ts'
import type { DiskPlan, DiskPlanRow } from './disk-plan.ts'

/** The partitions of a plan as rows; how they look is the caller's business. */
export function describePlan(plan: DiskPlan): DiskPlanRow[] {
  return plan.partitions.map(({ number, name, start, size, type, filesystem }) => ({
    number,
    name,
    start,
    size,
    type: partitionTypeName(type),
    filesystem: filesystem?.type ?? '',
    mountpoint: filesystem?.path ?? '',
    label: filesystem?.label ?? '',
    uuid: filesystem?.uuid ?? '',
  }))
}
