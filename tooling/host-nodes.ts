import type { Inode, Timestamp } from '@bootable/tree'
import { statMode } from '@bootable/tree'
import { runOk } from './oracles.ts'

/** A path below a folder and what shall stand there. */
interface Placed {
  readonly path: string
  readonly inode: Inode
}

/** mknod(2) and utimensat(2), which Node has no call for: lists of devices and of times as JSON. */
const SCRIPT = `
import json, os, sys
given = json.load(sys.stdin)
for path, mode, major, minor in given["nodes"]:
    os.mknod(path, mode, os.makedev(major, minor))
for path, time in given["times"]:
    os.utime(path, ns=(int(time), int(time)), follow_symlinks=False)
`

/** Makes devices, fifos and sockets below a folder; devices take root. Needs python3. */
export async function makeNodes(placed: readonly Placed[], folder: string): Promise<void> {
  const nodes = placed.map(({ path, inode }) => {
    const [major, minor] = inode.type === 'device' ? [inode.major, inode.minor] : [0, 0]
    return [path, statMode(inode), major, minor]
  })
  if (nodes.length > 0) await runScript(folder, { nodes, times: [] })
}

/** Sets the times of what stands below a folder, to the nanosecond, in this order. Needs python3. */
export async function setTimes(placed: readonly Placed[], folder: string): Promise<void> {
  const times = placed.map(({ path, inode }) => [path || '.', inNanoseconds(inode.mtime)])
  await runScript(folder, { nodes: [], times })
}

function inNanoseconds({ seconds, nanoseconds }: Timestamp): string {
  return String(BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds))
}

async function runScript(folder: string, input: object): Promise<void> {
  await runOk('python3', ['-c', SCRIPT], { cwd: folder, input: JSON.stringify(input) })
}
