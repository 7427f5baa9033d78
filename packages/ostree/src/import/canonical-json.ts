/** Writes one kind of JSON value; `undefined` for a value that is left out. */
type Write = (value: unknown) => string | undefined

const scalar: Write = (value) => JSON.stringify(value)

function list(each: Write): Write {
  return (value) => `[${(value as unknown[]).map((item) => each(item) ?? 'null').join(',')}]`
}

function record(each: Write): Write {
  return (value) => braces(value, () => each)
}

/** An object of which only these fields count, as readers with typed structures see it. */
function fields(table: Readonly<Record<string, Write>>): Write {
  return (value) => braces(value, (name) => (Object.hasOwn(table, name) ? table[name] : undefined))
}

/** RFC 8785, 3.2.3: members are sorted by the UTF-16 units of their names. */
function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1
}

/** Members that are null are left out. */
function braces(value: unknown, writerOf: (name: string) => Write | undefined): string {
  const members = Object.entries(value as object)
    .filter(([, member]) => member !== null && member !== undefined)
    .sort(byName)
    .flatMap(([name, member]) => {
      const text = writerOf(name)?.(member)
      return text === undefined ? [] : [`${JSON.stringify(name)}:${text}`]
    })
  return `{${members.join(',')}}`
}

const texts = list(scalar)
const annotations = record(scalar)
const PLATFORM = {
  architecture: scalar,
  os: scalar,
  'os.version': scalar,
  'os.features': texts,
  variant: scalar,
}

const descriptor = fields({
  mediaType: scalar,
  digest: scalar,
  size: scalar,
  urls: texts,
  annotations,
  data: scalar,
  artifactType: scalar,
  platform: fields(PLATFORM),
})

const manifest = fields({
  schemaVersion: scalar,
  mediaType: scalar,
  artifactType: scalar,
  config: descriptor,
  layers: list(descriptor),
  subject: descriptor,
  annotations,
})

const config = fields({
  ...PLATFORM,
  created: scalar,
  author: scalar,
  config: fields({
    User: scalar,
    ExposedPorts: record(fields({})),
    Env: texts,
    Entrypoint: texts,
    Cmd: texts,
    Volumes: record(fields({})),
    WorkingDir: scalar,
    Labels: annotations,
    StopSignal: scalar,
  }),
  rootfs: fields({ type: scalar, diff_ids: texts }),
  history: list(
    fields({
      created: scalar,
      author: scalar,
      created_by: scalar,
      comment: scalar,
      empty_layer: scalar,
    }),
  ),
})

/** Any value in the canonical form of RFC 8785; members that are `null` stay. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const members = Object.entries(value)
    .sort(byName)
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`)
  return `{${members.join(',')}}`
}

/** The fields that image-spec has for a manifest, in the canonical form of RFC 8785. */
export function canonicalManifest(value: unknown): string {
  return manifest(value) as string
}

/** The fields that image-spec has for a configuration, in the canonical form of RFC 8785. */
export function canonicalConfig(value: unknown): string {
  return config(value) as string
}
