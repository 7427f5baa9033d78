import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { RepositoryRoute } from '../../src/index.ts'
import { parseRepositoryName } from '../../src/index.ts'
import { routeRegistries } from '../../src/node/index.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bootable-registries-'))
  vi.stubEnv('CONTAINERS_REGISTRIES_CONF', '')
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

function file(path: string, text: string): string {
  const full = join(folder, path)
  mkdirSync(dirname(full), { recursive: true })
  writeFileSync(full, text)
  return full
}

/** What the files of the test say about a name. */
function route(name: string): Promise<RepositoryRoute | undefined> {
  const router = routeRegistries({ system: join(folder, 'system'), user: join(folder, 'user') })
  return router(parseRepositoryName(name))
}

const MAN_PAGE = `
unqualified-search-registries = ["example.com"]

[[registry]]
prefix = "example.com/foo"
insecure = false
blocked = false
location = "internal-registry-for-example.com/bar"

[[registry.mirror]]
location = "example-mirror-0.local/mirror-for-foo"

[[registry.mirror]]
location = "example-mirror-1.local/mirrors/foo"
insecure = true

[[registry]]
location = "registry.com"

[[registry.mirror]]
location = "mirror.registry.com"
`

test('the example of containers-registries.conf(5)', async () => {
  file('system/registries.conf', MAN_PAGE)
  expect(await route('example.com/foo/image:latest')).toEqual({
    insecure: false,
    location: 'internal-registry-for-example.com/bar/image',
    mirrors: [
      { location: 'example-mirror-0.local/mirror-for-foo/image', insecure: false, pull: 'all' },
      { location: 'example-mirror-1.local/mirrors/foo/image', insecure: true, pull: 'all' },
    ],
  })
  expect(await route('registry.com/image')).toMatchObject({
    location: 'registry.com/image',
    mirrors: [{ location: 'mirror.registry.com/image' }],
  })
  expect(await route('quay.io/image')).toBeUndefined()
})

describe('prefixes', () => {
  const RULES = [
    'quay.io',
    'quay.io/a',
    'quay.io/a/b',
    'quay.io/a/b:old',
    'lan.example:5000',
    '*.example.org',
    '*.deep.example.org',
    'plain.example.org',
    'docker.io/library',
  ]
  beforeEach(() => {
    const tables = RULES.map(
      (prefix, index) =>
        `[[registry]]\nprefix = "${prefix}"\nlocation = "to.example/${index}${tagOf(prefix)}"\n`,
    )
    file('system/registries.conf', tables.join(''))
  })
  const tagOf = (prefix: string): string => (prefix.endsWith(':old') ? ':old' : '')

  test.each([
    ['quay.io/x', 'to.example/0/x'],
    ['quay.io/ab', 'to.example/0/ab'],
    ['quay.io:443/x', undefined],
    ['quay.io/a', 'to.example/1'],
    ['quay.io/a/c', 'to.example/1/c'],
    ['quay.io/a/b:new', 'to.example/2'],
    ['quay.io/a/b/c', 'to.example/2/c'],
    ['quay.io/a/b:old', 'to.example/3'],
    ['quay.io/a/b:older', 'to.example/2'],
    [`quay.io/a/b@sha256:${'0'.repeat(64)}`, 'to.example/2'],
    ['lan.example:5000/x', 'to.example/4/x'],
    ['lan.example/x', undefined],
    ['example.org/x', undefined],
    ['a.example.org/x', 'to.example/5/x'],
    ['a.b.example.org/x', 'to.example/5/x'],
    ['badexample.org/x', undefined],
    ['a.example.org:5000/x', undefined],
    ['a.deep.example.org/x', 'to.example/6/x'],
    ['plain.example.org/x', 'to.example/7/x'],
    // Names of Docker Hub are matched with everything filled in.
    ['debian', 'to.example/8/debian'],
    ['somebody/debian', undefined],
  ])('%s is at %s', async (name, location) => {
    expect((await route(name))?.location).toBe(location)
  })
})

test('a wildcard without a location changes no names', async () => {
  file('system/registries.conf', '[[registry]]\nprefix = "*.example.org"\ninsecure = true\n')
  expect(await route('a.example.org/x')).toEqual({ insecure: true, mirrors: [] })
})

test('a blocked one', async () => {
  const path = file('system/registries.conf', '[[registry]]\nlocation = "quay.io/a"\nblocked = true\n')
  expect(await route('quay.io/a/b')).toEqual({ blocked: path })
  expect(await route('quay.io/b')).toBeUndefined()
})

test('what mirrors are for', async () => {
  const mirrors = ['all', 'digest-only', 'tag-only'].map(
    (pull) => `[[registry.mirror]]\nlocation = "${pull}.example"\npull-from-mirror = "${pull}"\n`,
  )
  file('system/registries.conf', `[[registry]]\nlocation = "one.example"\n${mirrors.join('')}`)
  file(
    'system/registries.conf.d/two.conf',
    '[[registry]]\nlocation = "two.example"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "m.example"',
  )
  expect((await route('one.example/x'))?.mirrors?.map(({ pull }) => pull)).toEqual([
    'all',
    'digest-only',
    'tag-only',
  ])
  expect((await route('two.example/x'))?.mirrors?.map(({ pull }) => pull)).toEqual(['digest-only'])
})

describe('files', () => {
  const to = (location: string): string =>
    `[[registry]]\nprefix = "quay.io"\nlocation = "${location}.example"\n`
  const place = async (): Promise<string | undefined> => (await route('quay.io/x'))?.location

  test('later drop-in files count, of the host and of the user', async () => {
    file('system/registries.conf', to('main'))
    expect(await place()).toBe('main.example/x')
    file('system/registries.conf.d/10.conf', to('ten'))
    file('system/registries.conf.d/09.conf', to('nine'))
    file('system/registries.conf.d/99.conf.bak', 'not TOML at all')
    expect(await place()).toBe('ten.example/x')
    file('user/registries.conf.d/00.conf', to('own'))
    expect(await place()).toBe('own.example/x')
  })

  test("beside a file of the user's own the host's do not count", async () => {
    file('system/registries.conf', to('main'))
    file('system/registries.conf.d/10.conf', to('ten'))
    file('user/registries.conf', to('own'))
    expect(await place()).toBe('own.example/x')
  })

  test('CONTAINERS_REGISTRIES_CONF takes the place of both', async () => {
    file('system/registries.conf', to('main'))
    file('user/registries.conf', to('own'))
    vi.stubEnv('CONTAINERS_REGISTRIES_CONF', file('other.conf', to('other')))
    expect(await place()).toBe('other.example/x')
    const path = join(folder, 'missing.conf')
    vi.stubEnv('CONTAINERS_REGISTRIES_CONF', path)
    await expect(place()).rejects.toMatchObject({ code: 'CONFIGURATION_INVALID', details: { path } })
  })

  test('no files say nothing', async () => {
    expect(await place()).toBeUndefined()
  })
})

// A rule that forbids something must not be lost because of a typing error.
test.each([
  ['no TOML', '[[registry]\n', /line 1, column \d+/],
  ['version 1', "[registries.block]\nregistries = ['quay.io']\n", /version 1/],
  ['a table in place of an array', '[registry]\nlocation = "quay.io"\n', /\[\[registry\]\]/],
  ['neither prefix nor location', '[[registry]]\nblocked = true\n', /neither/],
  ['a prefix alone', '[[registry]]\nprefix = "quay.io"\n', /no location/],
  ['a flag that is text', '[[registry]]\nlocation = "quay.io"\nblocked = "yes"\n', /blocked/],
  ['a number for a place', '[[registry]]\nlocation = 5\n', /location is not text/],
  ['a URL for a place', '[[registry]]\nlocation = "https://quay.io"\n', /host\[:port\]/],
  // References cannot name such a host: it would become a namespace of Docker Hub.
  ['a host without dot and port', '[[registry]]\nprefix="quay.io"\nlocation = "mirror/x"\n', /host\[:port\]/],
  ['a wildcard with a path', '[[registry]]\nprefix = "*.quay.io/a"\n', /\*\.quay\.io\/a/],
  ['a wildcard with a port', '[[registry]]\nprefix = "*.quay.io:5000"\n', /\*\.quay\.io:5000/],
  ['a wildcard in the middle', '[[registry]]\nprefix = "a.*.io"\nlocation="quay.io"\n', /a\.\*\.io/],
  ['a mirror without a place', '[[registry]]\nlocation = "quay.io"\n[[registry.mirror]]\n', /no location/],
  [
    'another use of a mirror',
    '[[registry]]\nlocation = "quay.io"\n[[registry.mirror]]\nlocation = "m.io"\npull-from-mirror = "some"\n',
    /"some"/,
  ],
  [
    'two settings that exclude each other',
    '[[registry]]\nlocation = "quay.io"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "m.io"\npull-from-mirror = "all"\n',
    /exclude/,
  ],
])('%s is an error that names the file', async (_, text, message) => {
  const path = file('system/registries.conf', text)
  await expect(route('quay.io/x')).rejects.toMatchObject({
    code: 'CONFIGURATION_INVALID',
    message: expect.stringMatching(message),
    details: { path },
  })
})

test('a rule that makes another image of it', async () => {
  const rule = '[[registry]]\nprefix = "quay.io/a:one"\nlocation = "quay.io/a:two"\n'
  file('system/registries.conf', rule)
  await expect(route('quay.io/a:one')).rejects.toMatchObject({ code: 'CONFIGURATION_INVALID' })
})
