/** A file of lines whose fields are separated by colons: passwd(5), shadow(5), group(5) and their kin. */
export interface ColonFile {
  /** Every well-formed line as its fields. Changing a line goes through {@link ColonFile.set}. */
  entries(): readonly (readonly string[])[]
  /** The first line of that name. */
  find(name: string): readonly string[] | undefined
  /** Puts a line in place of the first of its name, or adds it. */
  set(fields: readonly string[]): void
  /** Adds a line, whether or not one of its name is there. */
  add(fields: readonly string[]): void
  readonly changed: boolean
  /** The whole file. Lines that nobody touched are the same bytes as before. */
  text(): string
}

interface Line {
  readonly text: string
  readonly fields?: readonly string[]
}

/**
 * Takes a file apart. Lines with another number of fields, comments, and the `+` and `-` lines of
 * nsswitch's compat mode are no entries, and kept as they are.
 */
export function parseColonFile(text: string, fieldCount: number): ColonFile {
  const lines = text.split('\n').map((line): Line => {
    const fields = line.split(':')
    const isEntry = fields.length === fieldCount && /^[^#+-]/.test(line) && fields[0] !== ''
    return isEntry ? { text: line, fields } : { text: line }
  })
  // The last line's newline leaves an empty text behind.
  if (lines[lines.length - 1]?.text === '') lines.pop()
  let changed = false

  const file: ColonFile = {
    entries: () => lines.flatMap(({ fields }) => (fields ? [fields] : [])),
    find: (name) => lines.find(({ fields }) => fields?.[0] === name)?.fields,
    set(fields) {
      const index = lines.findIndex((line) => line.fields?.[0] === fields[0])
      const text = fields.join(':')
      if (index < 0) file.add(fields)
      else if (lines[index]?.text !== text) {
        lines[index] = { text, fields }
        changed = true
      }
    },
    add(fields) {
      // What follows a compat line is never looked at, so shadow-utils keeps those at the end.
      const compat = lines.findIndex((line) => /^[+-]/.test(line.text))
      lines.splice(compat < 0 ? lines.length : compat, 0, { text: fields.join(':'), fields })
      changed = true
    },
    get changed() {
      return changed
    },
    text: () => lines.map((line) => `${line.text}\n`).join(''),
  }
  return file
}
