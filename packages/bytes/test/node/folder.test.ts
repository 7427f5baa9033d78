import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { makeFolder } from '../../src/node/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'bootable-folder-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('makes what is missing, at once by several', async () => {
  const path = join(folder, 'a/b/c')
  await Promise.all([makeFolder(path), makeFolder(path), makeFolder(join(folder, 'a/b/d'))])
  await makeFolder(path)
  expect(statSync(path).isDirectory()).toBe(true)
  expect(statSync(join(folder, 'a/b/d')).isDirectory()).toBe(true)
})

test('a file in the way is told', async () => {
  writeFileSync(join(folder, 'file'), '')
  for (const path of ['file', 'file/below']) {
    await expect(makeFolder(join(folder, path))).rejects.toMatchObject({ code: 'FILE_NOT_WRITABLE' })
  }
})

test.runIf(process.platform === 'linux')('where no folder can be, there is an end to it', async () => {
  await expect(makeFolder('/proc/nothing/blobs')).rejects.toMatchObject({
    code: 'FILE_NOT_WRITABLE',
    message: expect.stringContaining('/proc/nothing'),
  })
})
