/** An element of XML: its name, its attributes, and what is in it. */
export interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string | number>>
  readonly content: string | number | readonly Element[]
}

/** An element without attributes, or with them. */
export function element(
  name: string,
  content: Element['content'],
  attributes: Element['attributes'] = {},
): Element {
  return { name, attributes, content }
}

/** A document in UTF-8, two blanks a level, with a line break at its end. */
export function formatXml(root: Element): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${format(root, '')}`
}

function format({ name, attributes, content }: Element, indent: string): string {
  const start = [
    name,
    ...Object.entries(attributes).map(([key, value]) => `${key}="${escapeText(value)}"`),
  ].join(' ')
  if (typeof content !== 'object') return `${indent}<${start}>${escapeText(content)}</${name}>\n`
  if (content.length === 0) return `${indent}<${start}/>\n`
  const inner = content.map((child) => format(child, `${indent}  `)).join('')
  return `${indent}<${start}>\n${inner}${indent}</${name}>\n`
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

function escapeText(value: string | number): string {
  return String(value).replace(/[&<>"]/g, (character) => ENTITIES[character] as string)
}
