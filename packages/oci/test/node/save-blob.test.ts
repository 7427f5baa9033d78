import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MiB, type ProgressEvent } from '@bootable/bytes'
import {
  type BlobSource,
  copyImage,
  type Descriptor,
  type ImageStore,
  memoryStore,
  parseDigest,
  verifyBlob,
} from '@bootable/oci'
import { createLayout, saveBlob } from '@bootable/oci/node'
import { expect, test } from 'vitest'
import { putTestImage, temporaryFolder } from '../fixture.ts'

const CONTENT = randomBytes(5 * MiB)
const BLOB = describe(CONTENT)
const NAME = BLOB.digest.replace(':', '-')
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)

const folder = temporaryFolder()
let count = 0
const fresh = (): string => join(folder, String(count++))

function describe(content: Uint8Array): Descriptor {
  const digest = parseDigest(`sha256:${createHash('sha256').update(content).digest('hex')}`)
  return { mediaType: 'application/octet-stream', digest, size: content.length }
}

/** A source that breaks at some byte, and knows from where it was read. */
function sourceOf(content: Uint8Array, breaksAt = Number.POSITIVE_INFINITY) {
  const offsets: number[] = []
  const source: BlobSource = {
    async open({ offset = 0 } = {}) {
      offsets.push(offset)
      return (async function* () {
        for (let at = offset; at < content.length; at += 100_000) {
          const end = Math.min(at + 100_000, content.length)
          if (end > breaksAt) {
            yield content.subarray(at, breaksAt)
            throw new Error('the line broke')
          }
          yield content.subarray(at, end)
        }
      })()
    },
  }
  return { source, offsets }
}

async function filesIn(path: string): Promise<string[]> {
  return (await readdir(path, { recursive: true })).sort()
}

async function expectWhole(path: string): Promise<void> {
  expect((await readFile(join(path, 'blob'))).equals(CONTENT)).toBe(true)
  expect(await filesIn(path)).toEqual(['blob'])
}

test('a download that broke goes on where it was', async () => {
  const path = fresh()
  const broken = sourceOf(CONTENT, 3_456_789)
  await expect(saveBlob(broken.source, BLOB, join(path, 'blob'))).rejects.toThrow('the line broke')
  expect(await filesIn(path)).toEqual(['.partial', `.partial/${NAME}`])

  const again = sourceOf(CONTENT, 4_000_000)
  await expect(saveBlob(again.source, BLOB, join(path, 'blob'))).rejects.toThrow('the line broke')
  const events: ProgressEvent[] = []
  const whole = sourceOf(CONTENT)
  const onProgress = (event: ProgressEvent): void => void events.push(event)
  await saveBlob(whole.source, BLOB, join(path, 'blob'), { onProgress })
  expect([...again.offsets, ...whole.offsets]).toEqual([3_456_789, 4_000_000])
  expect(events.slice(0, 2)).toMatchObject([{ type: 'start' }, { type: 'advance', done: 4_000_000 }])
  await expectWhole(path)
})

test('a cancelled one, too', async () => {
  const path = fresh()
  const controller = new AbortController()
  const { source } = sourceOf(CONTENT)
  const onProgress = (event: ProgressEvent): void => {
    if (event.type === 'advance' && event.done > 2_000_000) controller.abort('enough')
  }
  const options = { signal: controller.signal, onProgress }
  await expect(saveBlob(source, BLOB, join(path, 'blob'), options)).rejects.toBe('enough')
  const whole = sourceOf(CONTENT)
  await saveBlob(whole.source, BLOB, join(path, 'blob'))
  expect(whole.offsets[0]).toBeGreaterThan(1_900_000)
  await expectWhole(path)
})

test('what a killed process left is taken over', async () => {
  const path = fresh()
  await mkdir(path)
  const script = join(path, 'child.mts')
  const node = JSON.stringify(fileURLToPath(new URL('../../src/node/index.ts', import.meta.url)))
  await writeFile(join(path, 'content'), CONTENT)
  await writeFile(
    script,
    `import { readFileSync } from 'node:fs'
     import { saveBlob } from ${node}
     const content = readFileSync(${JSON.stringify(join(path, 'content'))})
     const source = { async open() { return (async function* () {
       for (let at = 0; at < 4_000_000; at += 100_000) yield content.subarray(at, at + 100_000)
       await new Promise((resolve) => setTimeout(resolve, 500))
       console.log('stalled')
       await new Promise((resolve) => setTimeout(resolve, 60_000))
     })() } }
     await saveBlob(source, ${JSON.stringify(BLOB)}, ${JSON.stringify(join(path, 'target/blob'))})`,
  )
  const tsx = fileURLToPath(new URL('../../../../node_modules/tsx/dist/loader.mjs', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=@bootable/source', '--import', tsx, script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  await Promise.race([exited, new Promise((resolve) => child.stdout.once('data', resolve))])
  child.kill('SIGKILL')
  await exited
  expect((await filesIn(join(path, 'target'))).filter((name) => name.includes(NAME))).toHaveLength(1)

  const whole = sourceOf(CONTENT)
  await saveBlob(whole.source, BLOB, join(path, 'target/blob'))
  expect(whole.offsets).toHaveLength(1)
  expect(whole.offsets[0]).toBeGreaterThanOrEqual(2 * MiB)
  await expectWhole(join(path, 'target'))
})

test.each([
  ['damaged bytes', (kept: Buffer) => kept.fill(0, 10, 20)],
  ['more than there should be', (kept: Buffer) => Buffer.concat([kept, CONTENT])],
  ['all of it, but wrong', () => Buffer.alloc(CONTENT.length)],
])('a kept file with %s is given up', async (_, damage) => {
  const path = fresh()
  await expect(saveBlob(sourceOf(CONTENT, 3e6).source, BLOB, join(path, 'blob'))).rejects.toThrow()
  const kept = join(path, '.partial', NAME)
  await writeFile(kept, damage(await readFile(kept)))
  const whole = sourceOf(CONTENT)
  await saveBlob(whole.source, BLOB, join(path, 'blob'))
  expect(whole.offsets.at(-1)).toBe(0)
  await expectWhole(path)
})

test('all of it needs no source', async () => {
  const path = fresh()
  await mkdir(join(path, '.partial'), { recursive: true })
  await writeFile(join(path, '.partial', NAME), CONTENT)
  const whole = sourceOf(CONTENT)
  await saveBlob(whole.source, BLOB, join(path, 'blob'))
  expect(whole.offsets).toEqual([])
  await expectWhole(path)
})

test('a source that cannot begin in the middle is read from the start', async () => {
  const path = fresh()
  await expect(saveBlob(sourceOf(CONTENT, 3e6).source, BLOB, join(path, 'blob'))).rejects.toThrow()
  const { source } = sourceOf(CONTENT)
  await saveBlob({ open: () => source.open() }, BLOB, join(path, 'blob'))
  await expectWhole(path)
})

test('wrong bytes and small blobs are not kept', async () => {
  const path = fresh()
  const wrong = Buffer.from(CONTENT).fill(1, 0, 1)
  await expect(saveBlob(sourceOf(wrong).source, BLOB, join(path, 'blob'))).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
  })
  const small = CONTENT.subarray(0, 100_000)
  await expect(
    saveBlob(sourceOf(small, 50_000).source, describe(small), join(path, 'small')),
  ).rejects.toThrow()
  expect(await filesIn(path)).toEqual([])
})

test('several at once do not disturb each other', async () => {
  const path = fresh()
  await expect(saveBlob(sourceOf(CONTENT, 3e6).source, BLOB, join(path, 'blob'))).rejects.toThrow()
  const sources = Array.from({ length: 4 }, () => sourceOf(CONTENT))
  await Promise.all(sources.map(({ source }) => saveBlob(source, BLOB, join(path, 'blob'))))
  expect(sources.flatMap(({ offsets }) => offsets).sort()).toEqual([0, 0, 0, 3_000_000])
  await expectWhole(path)
})

test('files that are in use, of other hosts, and old ones', async () => {
  const path = fresh()
  const partials = join(path, '.partial')
  await mkdir(partials, { recursive: true })
  const put = async (name: string, age = 0): Promise<void> => {
    await writeFile(join(partials, name), CONTENT.subarray(0, 2_000_000))
    const time = new Date(Date.now() - age)
    await utimes(join(partials, name), time, time)
  }
  const [inUse, elsewhere] = [`${NAME}.${HOST}-${process.ppid}-00000000`, `${NAME}.00000000-999999-00000000`]
  await put(inUse)
  await put(elsewhere)
  await put('sha256-of-somebody-else')
  await put('sha256-of-long-ago', 8 * 24 * 3_600_000)
  const whole = sourceOf(CONTENT)
  await saveBlob(whole.source, BLOB, join(path, 'blob'))
  expect(whole.offsets).toEqual([0])
  expect(await readdir(partials)).toEqual([elsewhere, inUse, 'sha256-of-somebody-else'].sort())
})

test('a layout goes on as well, and is a layout meanwhile', async () => {
  const path = fresh()
  const store = await createLayout(path)
  const put = (source: BlobSource) => store.putBlob(source, { descriptor: BLOB })
  await expect(put(sourceOf(CONTENT, 3e6).source)).rejects.toThrow('the line broke')
  expect(await store.hasBlob(BLOB)).toBe(false)
  expect(await filesIn(join(path, 'blobs/sha256'))).toEqual([])
  const whole = sourceOf(CONTENT)
  await put(whole.source)
  expect(whole.offsets).toEqual([3_000_000])
  expect((await readdir(path)).sort()).toEqual(['blobs', 'index.json', 'oci-layout'])
})

test.each([
  [1, true],
  [2, false],
])('a blob that arrives damaged %i times', async (damaged, succeeds) => {
  const source = memoryStore()
  await putTestImage(source, 'v1')
  const opened = new Map<string, number>()
  const faulty: ImageStore = {
    ...source,
    async openBlob(descriptor, options) {
      const times = (opened.get(descriptor.digest) ?? 0) + 1
      opened.set(descriptor.digest, times)
      const chunks = await source.openBlob(descriptor, options)
      if (times > damaged) return chunks
      const flipped = async function* () {
        for await (const chunk of chunks) yield chunk.map((byte) => byte ^ 1)
      }
      return verifyBlob(flipped(), descriptor)
    },
  }
  const events: ProgressEvent[] = []
  const layout = await createLayout(fresh())
  const copying = copyImage({ store: faulty, reference: 'v1' }, layout, 'v1', {
    onProgress: (event) => void events.push(event),
  })
  if (succeeds) await copying
  else await expect(copying).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
  expect(Math.max(...opened.values())).toBe(2)
  const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))
  expect(warnings[0]).toMatch(/has the digest sha256:\w+; it is fetched once more$/)
})
