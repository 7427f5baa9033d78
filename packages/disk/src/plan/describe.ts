import { partitionTypeName } from '../gpt/types.ts'
import { LUKS_OVERHEAD } from '../luks/index.ts'
import type { BtrfsContent, LvmContent, PlannedContent } from './content.ts'
import type { DiskPlan, DiskPlanContent, DiskPlanRow, DiskPlanVolume } from './disk-plan.ts'

/** The partitions of a plan as rows, with the volumes inside them; how they look is the caller's business. */
export function describePlan(plan: DiskPlan): DiskPlanRow[] {
  return plan.partitions.map(({ number, name, start, size, type, content }) => ({
    ...{ number, name, start, size, type: partitionTypeName(type) },
    ...describeContent(content, size),
  }))
}

const NOTHING: DiskPlanContent = { filesystem: '', mountpoint: '', label: '', uuid: '', inside: [] }

/** @param size bytes of what holds it */
function describeContent(content: PlannedContent | undefined, size: number): DiskPlanContent {
  switch (content?.type) {
    case 'filesystem':
    case 'swap': {
      const { type, path, label, uuid } = content.mount
      return { ...NOTHING, filesystem: type, mountpoint: path, label, uuid }
    }
    case 'btrfs': {
      const { label, uuid } = content
      return {
        ...NOTHING,
        filesystem: 'btrfs',
        label,
        uuid,
        inside: content.subvolumes.map(describeSubvolume),
      }
    }
    case 'lvm': {
      const { name: label, uuid } = content.group
      return { ...NOTHING, filesystem: 'lvm', label, uuid, inside: describeVolumes(content) }
    }
    case 'luks': {
      const { label, uuid } = content.luks
      const inner = size - LUKS_OVERHEAD
      const inside = [{ name: `luks-${uuid}`, size: inner, ...describeContent(content.content, inner) }]
      return { ...NOTHING, filesystem: 'luks', label, uuid, inside }
    }
    case 'raw':
      return { ...NOTHING, filesystem: 'raw', label: content.path }
    default:
      return NOTHING
  }
}

function describeSubvolume({ name, mount, uuid = '' }: BtrfsContent['subvolumes'][number]): DiskPlanVolume {
  return { ...NOTHING, name: name || '/', filesystem: 'subvolume', mountpoint: mount?.path ?? '', uuid }
}

function describeVolumes({ group, volumes }: LvmContent): DiskPlanVolume[] {
  return volumes.map(({ name, content }, index) => {
    const size = group.volumes[index]?.size ?? 0
    return { name, size, ...describeContent(content, size) }
  })
}
