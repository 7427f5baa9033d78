import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Attempts, expectFailure, filesIn, prepareAttempts } from '../../tooling/attempts.ts'
import type { Command } from '../../tooling/command.ts'
import { MINIMAL_MACHINE, tarOf, writeLayout } from '../../tooling/images.ts'
import { run, runOk } from '../../tooling/oracles.ts'

let command: Command
let folder: string
let attempt: Attempts['attempt']
let build: Attempts['build']
beforeAll(async () => {
  ;({ command, folder, attempt, build } = await prepareAttempts())
})
afterAll(() => command.close())

const machine = { tar: tarOf(MINIMAL_MACHINE) }

describe('an image that is not what it says', () => {
  it('is built when nothing is wrong with it', async () => {
    const result = await attempt({ layers: [machine] })
    expect(result.status, result.stderr).toBe(0)
  })

  it('has a changed byte in a layer', async () => {
    const damage = (blob: Buffer): Buffer => {
      const copy = Buffer.from(blob)
      copy[copy.length >> 1] = (copy[copy.length >> 1] as number) ^ 1
      return copy
    }
    expectFailure(await attempt({ layers: [{ ...machine, damage }] }), /layer 0 \(sha256:\w+\): .*/)
  })

  it('has a layer that ends early', async () => {
    const damage = (blob: Buffer): Buffer => blob.subarray(0, blob.length - 50)
    expectFailure(await attempt({ layers: [{ ...machine, damage }] }), /layer 0 \(sha256:\w+\): /)
  })

  it('has a layer that leaves the tree', async () => {
    const tar = tarOf([{ name: '../../etc/cron.d/evil', data: 'x' }])
    expectFailure(await attempt({ layers: [machine, { tar }] }), /layer 1 .*\.\.\/\.\.\/etc\/cron\.d\/evil/)
  })

  it('has a bomb in it', async () => {
    const bomb = { ...machine, mediaType: ZSTD, blob: zstdBomb() }
    expectFailure(await attempt({ layers: [bomb] }), /layer 0 .*beyond 1200 to 1/)
  })

  it('has a layer of an unknown media type', async () => {
    const mediaType = 'application/vnd.example.layer.v1+squashfs'
    expectFailure(await attempt({ layers: [{ ...machine, mediaType }] }), /vnd\.example\.layer\.v1\+squashfs/)
  })

  it('is for another platform', async () => {
    const image = { layers: [machine], architecture: 's390x' }
    expectFailure(await attempt(image, ['--target-arch', 'arm64']), /linux\/arm64[\s\S]*linux\/s390x/)
  })

  it('has no kernel', async () => {
    const tar = tarOf(MINIMAL_MACHINE.filter(({ name }) => !name.includes('modules')))
    expectFailure(await attempt({ layers: [{ tar }] }), /kernel/)
  })

  it('has no label', async () => {
    expectFailure(await attempt({ layers: [machine], labels: {} }), /containers\.bootc/)
  })

  it('has no boot loader', async () => {
    const tar = tarOf(MINIMAL_MACHINE.filter(({ name }) => !name.includes('systemd-boot')))
    expectFailure(await attempt({ layers: [{ tar }] }), /boot ?loader/i)
  })

  it('is an archive that was cut', async () => {
    const layout = join(folder, 'whole')
    writeLayout(layout, { layers: [machine] })
    const archive = join(folder, 'cut.tar')
    await runOk('tar', ['-cf', archive, '-C', layout, '.'])
    truncateSync(archive, 3000)
    expectFailure(await build(`oci-archive:${archive}`), /cut\.tar|tar:/)
  })

  it('is not there', async () => {
    expectFailure(await build('oci:/nonexistent/layout'), /nonexistent/)
    expectFailure(await build('oci-archive:/nonexistent.tar'), /nonexistent\.tar/)
    expectFailure(await build('docker://127.0.0.1:9/no/body:1'), /127\.0\.0\.1:9/)
    expectFailure(await build('ftp:x'), /ftp/)
  })
})

const ZSTD = 'application/vnd.oci.image.layer.v1.tar+zstd'

/** A zstd frame of blocks that repeat one byte: three bytes become 128 KiB (RFC 8878, 3.1.1.2). */
function zstdBomb(): Buffer {
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58])
  const blocks = Array.from({ length: 40_000 }, (_, index) => {
    const size = 128 * 1024
    const last = index === 39_999 ? 1 : 0
    const block = Buffer.alloc(4)
    block.writeUIntLE((size << 3) | (1 << 1) | last, 0, 3)
    return block
  })
  return Buffer.concat([header, ...blocks])
}

describe('a blueprint with mistakes', () => {
  const image = { layers: [machine] }

  it('names the place of each', async () => {
    const text =
      '{"customizations": {\n  "user": [{"name": "a b"}],\n  "filesystem": [{"mountpoint": "/usr"}]}}'
    const result = await attempt(image, ['--config', '-'], text)
    expectFailure(result, /2:\d+/)
    expect(result.stderr).toMatch(/3:\d+/)
  })

  it('asks for a group that nobody has', async () => {
    const text = JSON.stringify({ customizations: { user: [{ name: 'anna', groups: ['wheel'] }] } })
    expectFailure(await attempt(image, ['--config', '-'], text), /wheel/)
  })

  it('has a key that means nothing for a disk', async () => {
    const text = JSON.stringify({ customizations: { hostname: 'x', fips: true } })
    const result = await attempt(image, ['--config', '-'], text)
    expect(result.status, result.stderr).toBe(0)
    expect(result.stderr).toMatch(/warning: customizations\.hostname .*ignored/)
    expect(result.stderr).toMatch(/warning: customizations\.fips .*ignored/)
  })

  it('is not there, or of no known kind', async () => {
    expectFailure(await attempt(image, ['--config', '/nonexistent.toml']), /nonexistent\.toml/)
    expectFailure(await attempt(image, ['--config', '/etc/passwd']), /neither \.json nor \.toml/)
  })
})

describe('a disk that cannot be', () => {
  const image = { layers: [machine] }

  it('is too small', async () => {
    expectFailure(await attempt(image, ['--size', '20 MiB']), /needs \d+ bytes[\s\S]*20971520 bytes/)
  })

  it('has a root filesystem that nobody writes', async () => {
    expectFailure(await attempt(image, ['--rootfs', 'zfs']), /zfs/, 2)
  })

  it('has a type or a flag that does not exist', async () => {
    expectFailure(await attempt(image, ['--type', 'floppy']), /floppy/)
    expectFailure(await attempt(image, ['--tpye', 'raw']), /--tpye/, 2)
    expectFailure(await attempt(image, ['--size', 'large']), /not a size/, 2)
  })
})

describe.runIf(process.getuid?.() === 0)('a medium that is full', () => {
  const mount = '/tmp/bootable-full'
  beforeAll(async () => {
    await runOk('mkdir', ['-p', mount])
    await runOk('mount', ['-t', 'tmpfs', '-o', 'size=3m,mode=777', 'tmpfs', mount])
  })
  afterAll(async () => {
    await run('umount', [mount])
    await run('rmdir', [mount])
  })

  it('keeps what was there before and nothing of the attempt', async () => {
    const layout = join(folder, 'large')
    const noise = Buffer.from(Array.from({ length: 6_000_000 }, (_, index) => (index * 2654435761) >>> 13))
    writeLayout(layout, { layers: [{ tar: tarOf([...MINIMAL_MACHINE, { name: 'noise', data: noise }]) }] })
    await runOk('mkdir', ['-p', '-m', '777', `${mount}/image`])
    writeFileSync(`${mount}/image/disk.raw`, 'good')
    const args = [
      'build',
      '--cache',
      join(folder, 'cache'),
      '--type',
      'raw',
      '--output',
      mount,
      `oci:${layout}`,
    ]
    const result = await command.run(args)
    expectFailure(result, /no space left/i)
    expect(readdirSync(mount, { recursive: true }).sort()).toEqual(['image', 'image/disk.raw'])
    expect(readFileSync(`${mount}/image/disk.raw`, 'utf8')).toBe('good')
  })
})

describe('SIGINT in the middle', () => {
  it('ends with 130 and leaves nothing', async () => {
    const layout = join(folder, 'slow')
    const noise = Buffer.from(Array.from({ length: 30_000_000 }, (_, index) => (index * 2654435761) >>> 13))
    writeLayout(layout, { layers: [{ tar: tarOf([...MINIMAL_MACHINE, { name: 'noise', data: noise }]) }] })
    const output = join(command.folder(), 'output')
    const temporary = command.folder()
    const args = ['build', '--no-cache', '--progress', 'json', '--output', output, `oci:${layout}`]
    const result = await command.run(args, { interruptAt: /"type":"advance"/, env: { TMPDIR: temporary } })
    expectFailure(result, /stopped by SIGINT/, 130)
    expect(filesIn(output)).toEqual([])
    expect(filesIn(temporary)).toEqual([])
  })
})

describe('a reader of standard output that goes away', () => {
  it('does not stop a build', async () => {
    const layout = join(folder, 'heard')
    writeLayout(layout, { layers: [machine] })
    const output = join(command.folder(), 'output')
    const args = ['build', '--no-cache', '--progress', 'json', '--output', output, `oci:${layout}`]
    const result = await command.run(args, { closeOutput: true })
    expect(result.status, result.stderr).toBe(0)
    expect(result.stderr).toBe('')
    expect(filesIn(output).sort()).toEqual(['disk.qcow2', 'manifest-qcow2.json'])
  })
})

describe('the flags of bootc-image-builder that mean nothing here', () => {
  it('are taken, with a warning', async () => {
    const flags = ['--use-librepo=True', '--local=false', '--store', '/store', '--log-level', 'debug']
    const result = await attempt({ layers: [machine] }, [...flags, '--progress', 'debug'])
    expect(result.status, result.stderr).toBe(0)
    expect(result.stderr).toMatch(/warning: --store has no meaning here/)
    expect(result.stderr).not.toMatch(/--local/)
  })
})
