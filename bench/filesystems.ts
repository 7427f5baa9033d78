// Each filesystem writer beside the program that fills an image of the same size from a folder with the same
// files, in turns in the same run; as root:
//   npx tsx --conditions=@bootable/source bench/filesystems.ts FIXTURE --scripts FOLDER --root FOLDER
//     [--runs 3] [--type ext4]... [--size 2] (GiB)
// FIXTURE is a folder with an image as `oci/`. The programs are those of `--root`, a tree that `oracle-root.sh`
// of `--scripts` made and enters. Files are warm: contents in the page cache, layers in a kept cache.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { nodeRuntime } from '@bootable/bytes/node'
import { openImage, unpackImage } from '@bootable/oci'
import { folderLayerCache, openLayout } from '@bootable/oci/node'
import { writeHostTree } from '../tooling/host-tree.ts'
import { type Cost, measure } from './measure.ts'
import { measureInTurns, measureScript, printTable } from './report.ts'

/** What runs in `/work`, where the folder is `tree` and the image, already of its size, `image`. */
const PEERS = {
  ext4: { program: 'mke2fs -d', script: 'mke2fs -q -F -t ext4 -d tree image' },
  xfs: { program: 'mkfs.xfs -p', script: 'mkfs.xfs -q -f -p tree image' },
  btrfs: { program: 'mkfs.btrfs --rootdir', script: 'mkfs.btrfs -q -f --rootdir tree image' },
  'btrfs zstd': {
    program: 'mkfs.btrfs --rootdir --compress zstd',
    script: 'mkfs.btrfs -q -f --rootdir tree --compress zstd image',
  },
  erofs: { program: 'mkfs.erofs', script: 'rm image; mkfs.erofs --quiet image tree' },
} as const
type Type = keyof typeof PEERS

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    scripts: { type: 'string', default: process.env.BOOTABLE_FIXTURE_SCRIPTS ?? '' },
    root: { type: 'string', default: process.env.BOOTABLE_ORACLE_ROOT ?? '' },
    runs: { type: 'string', default: '3' },
    size: { type: 'string', default: '2' },
    type: { type: 'string', multiple: true, default: Object.keys(PEERS) },
  },
})
const fixture = positionals[0]
if (fixture === undefined) throw new Error('which fixture? bench/filesystems.ts FOLDER')
const layout = join(fixture, 'oci')
const size = Number(values.size) * 1024 ** 3

const folder = mkdtempSync(join(tmpdir(), 'bootable-bench-'))
const cache = join(folder, 'cache')
try {
  await unpack()
  const types = values.type.filter((type): type is Type => type in PEERS)
  const subjects = types.flatMap((type) => [
    [`our ${type}`, () => ours(type)] as const,
    [PEERS[type].program, () => theirs(type)] as const,
  ])
  const results = await measureInTurns(Object.fromEntries(subjects), Number(values.runs))
  const peers = new Map(types.map((type) => [`our ${type}`, PEERS[type].program]))
  printTable(results, '× the program', (name) => peers.get(name) ?? name)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** Writes the files of the image to `tree`, and fills the cache of layers on the way. */
async function unpack(): Promise<void> {
  const runtime = nodeRuntime
  const image = await openImage(await openLayout(layout, { runtime }), '')
  const tree = await unpackImage(image, { cache: folderLayerCache(cache), runtime })
  const target = join(folder, 'tree')
  mkdirSync(target)
  await writeHostTree(tree, target)
}

function ours(type: Type): Promise<Cost> {
  const [name = '', ...algorithm] = type.split(' ')
  const out = join(folder, 'ours')
  rmSync(out, { force: true })
  return measureScript('./write-filesystem.mjs', [name, layout, cache, out, String(size), ...algorithm])
}

function theirs(type: Type): Promise<Cost> {
  const script = `cd /work; rm -f image; truncate -s ${size} image; ${PEERS[type].script}`
  const enter = [join(values.scripts, 'oracle-root.sh'), 'run', values.root, folder]
  return measure('bash', [...enter, 'sh', '-ec', script])
}
