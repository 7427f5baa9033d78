import { formatSize } from '@bootable/bytes'
import { describePlan } from './describe.ts'
import type { DiskPlan, DiskPlanContent, DiskPlanRow } from './disk-plan.ts'

const WIDTH = 960
const MARGIN = 24
const STRIP_TOP = 64
const STRIP_HEIGHT = 96
/** So much of a segment is always seen: enough for its number. */
const LEAST_SEGMENT = 22
const LIST_TOP = STRIP_TOP + STRIP_HEIGHT + 40
const LINE = 26
const INDENT = 22
/** What a letter of 13 pixels takes at most, on average. */
const LETTER = 7.2

/** Fill and text, far enough apart for everybody to read (WCAG 2, 1.4.3). */
const COLORS = {
  firmware: ['#5b6472', '#ffffff'],
  boot: ['#7a4fa3', '#ffffff'],
  root: ['#1f5fa8', '#ffffff'],
  data: ['#13706a', '#ffffff'],
  swap: ['#9a4d08', '#ffffff'],
  group: ['#e3e8ef', '#1c2430'],
  encrypted: ['#fbe3a6', '#1c2430'],
  empty: ['#c9d0da', '#1c2430'],
} as const

type Kind = keyof typeof COLORS

/** A partition or volume in the picture. */
interface Item extends DiskPlanContent {
  readonly name: string
  readonly number?: number
  readonly size?: number
  /** What fdisk(8) calls the type of a partition. */
  readonly type?: string
}

/**
 * A picture of a plan: the disk as a strip, its partitions in their proportions but never too narrow to be
 * seen, volumes inside of what holds them, and below a line for each. SVG without scripts, style sheets and
 * fonts of its own; a screen reader reads its title and description.
 */
export function drawPlan(plan: DiskPlan): string {
  const rows = describePlan(plan)
  const title = titleOf(plan)
  const lines = rows.flatMap((row) => linesOf(row, 0))
  const height = LIST_TOP + lines.length * LINE + MARGIN - 8
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title desc" font-family="system-ui, sans-serif" font-size="13">`,
    `<title id="title">${escapeXml(title)}</title>`,
    `<desc id="desc">${escapeXml(lines.map(({ item }) => sentence(item)).join(' '))}</desc>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(MARGIN, 38, title, { size: 17, weight: 600 }),
    ...drawStrip(rows),
    ...lines.map(({ item, depth }, index) => drawLine(item, depth, LIST_TOP + index * LINE)),
    '</svg>',
    '',
  ].join('\n')
}

function titleOf({ size, type = 'gpt', sectorSize, partitions }: DiskPlan): string {
  const table = type === 'gpt' ? 'GPT' : 'DOS partition table'
  const sectors = sectorSize === 512 ? '' : `, sectors of ${sectorSize} bytes`
  const count = `${partitions.length} partition${partitions.length === 1 ? '' : 's'}`
  return `Disk of ${formatSize(size)}, ${table}${sectors}, ${count}`
}

function linesOf(item: Item, depth: number): { item: Item; depth: number }[] {
  return [{ item, depth }, ...item.inside.flatMap((volume) => linesOf(volume, depth + 1))]
}

function drawStrip(rows: readonly DiskPlanRow[]): string[] {
  const area = { left: MARGIN, top: STRIP_TOP, width: WIDTH - 2 * MARGIN, height: STRIP_HEIGHT }
  return drawBeside(rows, area)
}

interface Area {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

/** Items side by side. Each has a least width, and of the rest as much as is its share of all bytes. */
function drawBeside(items: readonly Item[], area: Area, whole?: number): string[] {
  const sizes = items.map(({ size = 1 }) => size)
  const total = Math.max(
    whole ?? 0,
    sizes.reduce((sum, size) => sum + size, 0),
  )
  const least = Math.min(LEAST_SEGMENT, area.width / Math.max(items.length, 1))
  const rest = area.width - least * items.length
  let left = area.left
  return items.flatMap((item, index) => {
    const width = least + (rest * (sizes[index] as number)) / total
    const drawn = drawSegment(item, { ...area, left, width: Math.max(1, width - 2) })
    left += width
    return drawn
  })
}

/** Letters of a name. */
const MAX_NAME = 28
const HEAD = 20
const INSET = 5

/** A box with its name, and what is inside it below. */
function drawSegment(item: Item, area: Area): string[] {
  const { left, top, width, height } = area
  const kind = kindOf(item)
  const [fill, ink] = COLORS[kind]
  const dashes = kind === 'encrypted' ? ' stroke-dasharray="4 3"' : ''
  const stroke = kind === 'group' || kind === 'encrypted' ? '#7c8695' : 'none'
  const box = `<rect x="${round(left)}" y="${round(top)}" width="${round(width)}" height="${round(height)}" rx="4" fill="${fill}" stroke="${stroke}"${dashes}>`
  const drawn = [`${box}<title>${escapeXml(sentence(item))}</title></rect>`]
  const label = fitting(item, width - 10)
  if (label !== '' && height > 12)
    drawn.push(text(left + 5, top + Math.min(15, height - 4), label, { fill: ink }))
  const inner = {
    left: left + INSET,
    top: top + HEAD + 2,
    width: width - 2 * INSET + 2,
    height: height - HEAD - INSET - 2,
  }
  if (item.inside.length === 0 || inner.height < 8 || inner.width < item.inside.length * 4) return drawn
  // What no volume takes stays free, and is seen to be.
  return [...drawn, ...drawBeside(item.inside, inner, isGroup(item) ? item.size : undefined)]
}

function isGroup({ filesystem }: Item): boolean {
  return filesystem === 'lvm'
}

/** As much of a name as there is room for. */
function fitting(item: Item, width: number): string {
  const { number } = item
  const name = shortName(item)
  const candidates = number === undefined ? [name] : [`${number} ${name}`, String(number)]
  return candidates.find((candidate) => candidate.length * LETTER <= width) ?? ''
}

function drawLine(item: Item, depth: number, top: number): string {
  const left = MARGIN + depth * INDENT
  const [fill] = COLORS[kindOf(item)]
  const name = item.number === undefined ? shortName(item) : `${item.number}  ${shortName(item)}`
  const size = item.size === undefined ? '' : formatSize(item.size)
  return [
    `<rect x="${left}" y="${top - 11}" width="13" height="13" rx="3" fill="${fill}" stroke="#7c8695"/>`,
    text(left + INDENT, top, name, { weight: 600 }),
    text(WIDTH / 3 + depth * INDENT, top, facts(item).join(', ')),
    text(WIDTH - MARGIN, top, size, { anchor: 'end' }),
  ].join('\n')
}

/** Names with uuids in them are longer than a line has room for. */
function shortName({ name }: Item): string {
  return name.length > MAX_NAME ? `${name.slice(0, MAX_NAME - 1)}…` : name
}

function facts({ filesystem, mountpoint, label, type = 'empty' }: Item): string[] {
  const what = { lvm: 'LVM volume group', luks: 'encrypted with LUKS2', raw: 'bytes of', '': type }
  const named = filesystem === 'raw' || filesystem === 'lvm' ? ` ${label}` : ''
  const kind = `${what[filesystem as keyof typeof what] ?? filesystem}${named}`
  return [
    mountpoint.startsWith('/') ? `${kind} at ${mountpoint}` : kind,
    ...(label !== '' && named === '' ? [`label ${label}`] : []),
  ]
}

/** A partition or volume in words. */
function sentence(item: Item): string {
  const { number, name, size } = item
  const words = number === undefined ? name : `Partition ${number}, ${name}`
  return `${words}: ${[...(size === undefined ? [] : [formatSize(size)]), ...facts(item)].join(', ')}.`
}

function kindOf(item: Item): Kind {
  const { filesystem, mountpoint } = item
  if (filesystem === 'lvm' || (filesystem === 'btrfs' && item.inside.length > 0)) return 'group'
  if (filesystem === 'luks') return 'encrypted'
  if (filesystem === 'swap') return 'swap'
  if (mountpoint === '/') return 'root'
  if (mountpoint === '/boot') return 'boot'
  if (mountpoint === '/boot/efi' || filesystem === 'raw') return 'firmware'
  if (filesystem !== '') return 'data'
  return item.number === undefined || item.name === 'data' ? 'empty' : 'firmware'
}

interface TextStyle {
  readonly size?: number
  readonly weight?: number
  readonly fill?: string
  readonly anchor?: 'end'
}

function text(x: number, y: number, content: string, style: TextStyle = {}): string {
  const { size, weight, fill = '#1c2430', anchor } = style
  const attributes = [
    `x="${round(x)}" y="${round(y)}" fill="${fill}"`,
    ...(size === undefined ? [] : [`font-size="${size}"`]),
    ...(weight === undefined ? [] : [`font-weight="${weight}"`]),
    ...(anchor === undefined ? [] : [`text-anchor="${anchor}"`]),
  ]
  return `<text ${attributes.join(' ')} xml:space="preserve">${escapeXml(content)}</text>`
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/** Names and labels come from images and blueprints. XML has no place for control characters at all. */
function escapeXml(given: string): string {
  const clean = given.replace(/[\p{Cc}\p{Cs}\ufffe\uffff]/gu, '\ufffd')
  return clean.replace(/[&<>"']/g, (character) => ENTITIES[character] as string)
}
