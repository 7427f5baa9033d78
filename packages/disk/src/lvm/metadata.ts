import { type ConfigSection, type ConfigValue, parseConfigText } from './config-text.ts'
import { lvmFormatError } from './errors.ts'
import { SECTOR } from './format.ts'
import type { VolumeGroupLayout } from './layout.ts'
import { isLvmUuid, type LvmUuid } from './uuid.ts'

/** What of the text does not follow from the layout. */
export interface MetadataStamp {
  /** Seconds since 1970. */
  readonly time: number
  /** Letters, digits, `.`, `-` and `_`. */
  readonly host: string
}

/** The metadata of a volume group, in the words and the order of `lib/format_text/export.c`. */
export function renderMetadata(group: VolumeGroupLayout, { time, host }: MetadataStamp): string {
  const { physicalVolume, extentSize } = group
  const volumes = group.volumes.map((volume) => [
    `${volume.name} {`,
    `id = "${volume.uuid}"`,
    'status = ["READ", "WRITE", "VISIBLE"]',
    'flags = []',
    `creation_time = ${time}`,
    `creation_host = "${host}"`,
    'segment_count = 1',
    '',
    'segment1 {',
    'start_extent = 0',
    `extent_count = ${volume.extentCount}`,
    '',
    'type = "striped"',
    'stripe_count = 1',
    '',
    'stripes = [',
    `"pv0", ${volume.firstExtent}`,
    ']',
    '}',
    '}',
    '',
  ])
  return [
    `${group.name} {`,
    `id = "${group.uuid}"`,
    'seqno = 1',
    'format = "lvm2"',
    'status = ["RESIZEABLE", "READ", "WRITE"]',
    'flags = []',
    `extent_size = ${extentSize / SECTOR}`,
    'max_lv = 0',
    'max_pv = 0',
    'metadata_copies = 0',
    '',
    'physical_volumes {',
    '',
    'pv0 {',
    `id = "${physicalVolume.uuid}"`,
    // A hint that LVM replaces by what it finds.
    'device = "[unknown]"',
    '',
    'status = ["ALLOCATABLE"]',
    'flags = []',
    `dev_size = ${physicalVolume.size / SECTOR}`,
    `pe_start = ${physicalVolume.dataOffset / SECTOR}`,
    `pe_count = ${physicalVolume.extentCount}`,
    '}',
    '}',
    '',
    ...(volumes.length > 0 ? ['logical_volumes {', '', ...volumes.flat(), '}', ''] : []),
    '}',
    '',
    'contents = "Text Format Volume Group"',
    'version = 1',
    '',
    'description = ""',
    '',
    `creation_host = "${host}"`,
    `creation_time = ${time}`,
    '',
    '',
  ].join('\n')
}

/** A volume group as its metadata describes it. */
export interface VolumeGroupMetadata {
  readonly name: string
  readonly uuid: LvmUuid
  /** Counts the changes. */
  readonly sequence: number
  /** Bytes. */
  readonly extentSize: number
  /** By the name under which segments refer to it. */
  readonly physicalVolumes: ReadonlyMap<string, PhysicalVolumeMetadata>
  readonly volumes: readonly LogicalVolumeMetadata[]
}

export interface PhysicalVolumeMetadata {
  readonly uuid: LvmUuid
  /** Bytes from the start of the device to the first extent. */
  readonly dataOffset: number
  readonly extentCount: number
}

export interface LogicalVolumeMetadata {
  readonly name: string
  readonly uuid: LvmUuid
  /** Volumes that are parts of others are not. */
  readonly visible: boolean
  /** Extents of all segments. */
  readonly extentCount: number
  readonly segments: readonly SegmentMetadata[]
}

/** Neighbouring extents of a logical volume. */
export interface SegmentMetadata {
  readonly startExtent: number
  readonly extentCount: number
  /** `striped` also where there is one stripe; others are `snapshot`, `thin`, `raid1` … */
  readonly type: string
  /** Bytes; 0 with one stripe. */
  readonly stripeSize: number
  /** Where the stripes start; empty for other types. */
  readonly stripes: readonly { readonly physicalVolume: string; readonly extent: number }[]
}

/** Extents and stripes of at most 16 GiB: nothing real comes near. */
const MAX_EXTENT_SECTORS = 2 ** 25

/** @throws FormatError */
export function parseMetadata(text: string): VolumeGroupMetadata {
  const document = parseConfigText(text)
  const contents = document.get('contents')
  if (contents !== 'Text Format Volume Group') throw invalid('contents', `is ${shown(contents)}`)
  if (document.get('version') !== 1) {
    const version = shown(document.get('version'))
    throw lvmFormatError('FORMAT_UNSUPPORTED', 'metadata version', `is ${version}, expected 1`)
  }
  const [name, group, ...others] = [...document].filter(([, value]) => value instanceof Map).flat()
  if (typeof name !== 'string' || !(group instanceof Map) || others.length > 0) {
    throw invalid('metadata', 'it does not describe one volume group')
  }
  const extentSectors = wholeNumber(group, 'extent_size', 1, MAX_EXTENT_SECTORS)
  return {
    name,
    uuid: id(group, name),
    sequence: wholeNumber(group, 'seqno'),
    extentSize: extentSectors * SECTOR,
    physicalVolumes: new Map(
      subsections(group, 'physical_volumes').map(([key, section]) => [key, physicalVolume(section, key)]),
    ),
    volumes: subsections(group, 'logical_volumes').map(([key, section]) => logicalVolume(section, key)),
  }
}

function physicalVolume(section: ConfigSection, name: string): PhysicalVolumeMetadata {
  return {
    uuid: id(section, name),
    dataOffset: wholeNumber(section, 'pe_start', 0, 2 ** 44) * SECTOR,
    extentCount: wholeNumber(section, 'pe_count', 0, 2 ** 32),
  }
}

function logicalVolume(section: ConfigSection, name: string): LogicalVolumeMetadata {
  const segmentCount = wholeNumber(section, 'segment_count', 0)
  const segments = [...section].filter(([key, value]) => /^segment\d+$/.test(key) && value instanceof Map)
  if (segments.length !== segmentCount) {
    throw invalid(name, `it has ${segments.length} segments, segment_count is ${segmentCount}`)
  }
  const parsed = segments
    .map(([key, value]) => segment(value as ConfigSection, `${name}/${key}`))
    .sort((a, b) => a.startExtent - b.startExtent)
  let next = 0
  for (const { startExtent, extentCount } of parsed) {
    if (startExtent !== next)
      throw invalid(name, `a segment starts at extent ${startExtent} instead of ${next}`)
    next += extentCount
  }
  const status = section.get('status')
  const visible = Array.isArray(status) && status.includes('VISIBLE')
  return { name, uuid: id(section, name), visible, extentCount: next, segments: parsed }
}

function segment(section: ConfigSection, name: string): SegmentMetadata {
  const type = section.get('type')
  if (typeof type !== 'string') throw invalid(name, `type is ${shown(type)}`)
  const common = {
    startExtent: wholeNumber(section, 'start_extent', 0, 2 ** 32),
    extentCount: wholeNumber(section, 'extent_count', 1, 2 ** 32),
    type,
  }
  if (type !== 'striped') return { ...common, stripeSize: 0, stripes: [] }
  const count = wholeNumber(section, 'stripe_count', 1, 2 ** 16)
  const list = section.get('stripes')
  if (!Array.isArray(list) || list.length !== count * 2) throw invalid(name, `stripes is ${shown(list)}`)
  const stripes = Array.from({ length: count }, (_, index) => {
    const [physical, extent] = [list[index * 2], list[index * 2 + 1]] as ConfigValue[]
    if (typeof physical !== 'string' || !isExtent(extent)) {
      throw invalid(name, `stripe ${index} is ${shown(physical)}, ${shown(extent)}`)
    }
    return { physicalVolume: physical, extent }
  })
  const stripeSize = count === 1 ? 0 : wholeNumber(section, 'stripe_size', 1, MAX_EXTENT_SECTORS) * SECTOR
  return { ...common, stripeSize, stripes }
}

/** Of a physical volume, counted from its first. The text's numbers may be decimal fractions. */
function isExtent(value: ConfigValue | undefined): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0
}

function subsections(section: ConfigSection, key: string): [name: string, section: ConfigSection][] {
  const found = section.get(key)
  if (found === undefined) return []
  if (!(found instanceof Map)) throw invalid(key, 'it is not a section')
  return [...found].map(([name, value]) => {
    if (!(value instanceof Map)) throw invalid(`${key}/${name}`, 'it is not a section')
    return [name, value]
  })
}

function id(section: ConfigSection, name: string): LvmUuid {
  const value = section.get('id')
  if (typeof value !== 'string' || !isLvmUuid(value)) throw invalid(name, `id is ${shown(value)}`)
  return value
}

function wholeNumber(section: ConfigSection, key: string, least = 0, most = Number.MAX_SAFE_INTEGER): number {
  const value = section.get(key)
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value
  throw invalid(key, `is ${shown(value)}, expected ${least} to ${most}`)
}

function shown(value: unknown): string {
  return value === undefined
    ? 'missing'
    : value instanceof Map
      ? 'a section'
      : `${JSON.stringify(value)}`.slice(0, 80)
}

function invalid(structure: string, message: string): Error {
  return lvmFormatError('FORMAT_INVALID', structure, message)
}
