import { mkdirSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { requireOracleRoot, runInOracleRoot } from './oracle-root.ts'
import { temporaryFolder, xfsRepair } from './oracles.ts'

/** Whether the newest `xfs_repair` can be asked. */
export const hasNewestXfsRepair = requireOracleRoot('xfs_repair')

/** Two checkers of XFS. */
export interface XfsCheckers {
  /** Findings of this host's `xfs_repair -n`. The image is kept for the newest, under another name. */
  check(path: string): Promise<string[]>
  /** Findings of the newest `xfs_repair -n` on all images that were kept. */
  checkKept(): Promise<string[]>
}

/**
 * `xfs_repair -n` of this host for every image, and the newest for all of them at the end: entering its
 * root for each would take longer than the check.
 */
export function xfsCheckers(): XfsCheckers {
  const kept = join(temporaryFolder(), 'kept')
  mkdirSync(kept)
  return {
    async check(path) {
      const findings = await xfsRepair(path)
      if (hasNewestXfsRepair) renameSync(path, join(kept, `${readdirSync(kept).length}.img`))
      return findings
    },
    async checkKept() {
      if (!hasNewestXfsRepair) return []
      const script =
        'cd /work; for image in *.img; do xfs_repair -n "$image" 2>&1 || echo "$image: status $?"; done'
      const { stdout } = await runInOracleRoot(kept, 'bash', ['-c', script], { timeout: 600_000 })
      const usual =
        /^$|^Phase \d|^ {8}- |^No modify flag set|^Cannot get host|^Repair may fail|^the image and/
      return stdout.split('\n').filter((line) => !usual.test(line))
    },
  }
}
