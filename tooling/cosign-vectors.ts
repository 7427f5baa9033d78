// Makes packages/signatures/test/vectors/cosign.json: COSIGN_2 and COSIGN_3 name the two programs.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { signByCosign } from './cosign-images.ts'

const { COSIGN_2: attaching, COSIGN_3: bundling } = process.env
if (!attaching || !bundling) throw new Error('COSIGN_2 and COSIGN_3 have to name cosign 2 and cosign 3')
const folder = mkdtempSync(join(tmpdir(), 'bootable-cosign-'))
try {
  const images = await signByCosign(folder, { attaching, bundling })
  const path = join(import.meta.dirname, '../packages/signatures/test/vectors/cosign.json')
  writeFileSync(path, `${JSON.stringify(images, undefined, 1)}\n`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
