import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { openImageSource } from '../../src/node/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'bootable-open-'))
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

test('a registry that the files of this host block is not asked', async () => {
  vi.stubEnv('XDG_CONFIG_HOME', folder)
  vi.stubEnv('CONTAINERS_REGISTRIES_CONF', '')
  mkdirSync(join(folder, 'containers'))
  const path = join(folder, 'containers/registries.conf')
  writeFileSync(path, '[[registry]]\nlocation = "registry.example/blocked"\nblocked = true\n')
  await expect(openImageSource('docker://registry.example/blocked/image:one')).rejects.toMatchObject({
    code: 'REGISTRY_BLOCKED',
    message: `docker://registry.example/blocked/image is blocked by ${path}`,
  })
})
