import { mkdirSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { requireOracleRoot, runInOracleRoot } from './oracle-root.ts'
import { btrfsCheck, temporaryFolder } from './oracles.ts'

/** Whether the newest btrfs-progs can be run. */
export const hasNewestBtrfs = requireOracleRoot('btrfs')

/** Checkers of btrfs images. */
export interface BtrfsChecks {
  /** Findings of this host's `btrfs check`. The image is kept for the newest, and gone from `path`. */
  check(path: string): Promise<string[]>
  /** The same for very many inodes, or extents of one, on which lowmem mode would take minutes. */
  checkLarge(path: string): Promise<string[]>
  /**
   * Findings of the newest `btrfs check`, in both of its modes on all images kept but the large: entering its
   * root for each would take longer than the check.
   */
  checkKept(): Promise<string[]>
}

/** To be called in the body of a `describe` block or test file. */
export function btrfsChecks(): BtrfsChecks {
  const kept = join(temporaryFolder(), 'kept')
  mkdirSync(kept)
  async function checkAndKeep(path: string, modes: string): Promise<string[]> {
    const findings = await btrfsCheck(path)
    if (hasNewestBtrfs) renameSync(path, join(kept, `${readdirSync(kept).length}.${modes}.img`))
    return findings
  }
  return {
    check: (path) => checkAndKeep(path, 'both'),
    checkLarge: (path) => checkAndKeep(path, 'original'),
    async checkKept() {
      if (!hasNewestBtrfs) return []
      const script = `cd /work; for image in *.img; do for mode in original lowmem; do
        case $mode$image in lowmem*.original.img) continue;; esac
        btrfs check --readonly --mode=$mode "$image" > log 2>&1 || { echo "$image $mode: $?"; cat log; }
        grep -q 'no error found' log || echo "$image $mode: errors"
      done; done`
      const { stdout, stderr } = await runInOracleRoot(kept, 'bash', ['-c', script], { timeout: 600_000 })
      return `${stdout}${stderr}`.split('\n').filter((line) => line !== '')
    },
  }
}
