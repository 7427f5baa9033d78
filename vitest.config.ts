import { defineConfig } from 'vitest/config'

/** Tests run from the sources: the `@bootable/source` condition stands first in every package's exports. */
const conditions = ['@bootable/source', 'node', 'import', 'module', 'default']
const shared = { resolve: { conditions }, ssr: { resolve: { conditions, externalConditions: conditions } } }
/** Much of the time is somebody else's program's, so no core is kept free. */
const parallel = { maxWorkers: '100%' }

export default defineConfig({
  test: {
    projects: [
      {
        ...shared,
        test: { ...parallel, name: 'unit', include: ['packages/*/test/**/*.test.ts'], testTimeout: 30_000 },
      },
      {
        ...shared,
        test: {
          ...parallel,
          name: 'oracle',
          include: ['test/oracle/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        ...shared,
        test: {
          ...parallel,
          name: 'repository',
          include: ['test/repository/**/*.test.ts'],
          testTimeout: 300_000,
        },
      },
      {
        ...shared,
        test: {
          ...parallel,
          name: 'boot',
          include: ['test/boot/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
      {
        ...shared,
        // One file at a time: each starts as many guests at once as there are cores, or more.
        test: {
          name: 'machine',
          include: ['test/machine/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
