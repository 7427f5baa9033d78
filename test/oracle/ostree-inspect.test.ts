import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { type Image, type ImageStore, openImage } from '@bootable/oci'
import { openLayout } from '@bootable/oci/node'
import { checkUpdate, type Deployment, readDeployments, readSysroot } from '@bootable/ostree'
import { registryStore } from '@bootable/registry'
import { nodeRegistryOptions } from '@bootable/registry/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startDockerRegistry } from '../../tooling/docker-registry.ts'
import { readHostTree } from '../../tooling/host-tree.ts'
import { tarOf, writeLayout } from '../../tooling/images.ts'
import { requireTool, run, runOk, temporaryFolder } from '../../tooling/oracles.ts'

const KERNEL = '6.1.0-oracle'
const REFERENCE = 'registry.example.com/lab/os:latest'

// The real tools give files to root and set the immutable flag.
const isRoot = process.getuid?.() === 0
if (!isRoot) console.warn('tests skipped: deploying with the real ostree needs root')

describe.runIf(isRoot && requireTool('ostree', 'getfattr', 'chattr'))('a sysroot of the real ostree', () => {
  const folder = temporaryFolder()
  const sysroot = join(folder, 'sysroot')
  const layouts = ['one', 'two'].map((version) => join(folder, version))
  let stores: ImageStore[]
  let images: Image[]
  let commits: string[]

  const ostree = async (...args: string[]): Promise<string> =>
    (await runOk('ostree', [...args, `--repo=${sysroot}/ostree/repo`])).stdout.trim()
  const admin = async (command: string, ...args: string[]): Promise<string> =>
    (await runOk('ostree', ['admin', command, `--sysroot=${sysroot}`, ...args])).stdout

  /** What `bootc install` says in the metadata of its commit. */
  function metadataOf({ manifest, config }: Image): string[] {
    const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
    return [
      `ostree.container.image-config=${text(config.raw)}`,
      `ostree.manifest=${text(manifest.raw)}`,
      `ostree.manifest-digest=${manifest.descriptor.digest}`,
    ].map((pair) => `--add-metadata-string=${pair}`)
  }

  async function commit(image: Image, version: string, parent?: string): Promise<string> {
    const tree = join(folder, `tree-${version}`)
    const put = (path: string, content: string): void => {
      mkdirSync(dirname(join(tree, path)), { recursive: true })
      writeFileSync(join(tree, path), content)
    }
    put('usr/lib/os-release', `ID=oracle\nPRETTY_NAME="Oracle ${version}"\n`)
    put(`usr/lib/modules/${KERNEL}/vmlinuz`, `kernel ${version}`)
    put(`usr/lib/modules/${KERNEL}/initramfs.img`, 'initramfs')
    put('usr/etc/hostname', 'oracle\n')
    put('usr/lib/ostree/prepare-root.conf', '[composefs]\nenabled = maybe\n')
    for (const name of ['boot', 'sysroot', 'var', 'dev', 'proc', 'sys', 'run', 'tmp']) {
      mkdirSync(join(tree, name), { recursive: true })
    }
    return ostree(
      'commit',
      '--branch=oracle/x86_64',
      `--tree=dir=${tree}`,
      '--timestamp=@1750000000',
      '--bootable',
      `--add-metadata-string=version=${version}`,
      ...(parent === undefined ? [] : [`--parent=${parent}`]),
      ...metadataOf(image),
    )
  }

  beforeAll(async () => {
    const layer = (name: string): { tar: Buffer } => ({ tar: tarOf([{ name, data: name.repeat(5000) }]) })
    for (const [index, layout] of layouts.entries()) {
      writeLayout(layout, {
        layers: [layer('base'), layer(`app ${index}`)],
        labels: { 'containers.bootc': '1', 'org.opencontainers.image.version': `${index + 1}` },
      })
    }
    stores = await Promise.all(layouts.map((layout) => openLayout(layout)))
    images = await Promise.all(stores.map((store) => openImage(store, 'latest')))
    mkdirSync(sysroot)
    await runOk('ostree', ['admin', 'init-fs', '--modern', sysroot])
    for (const setting of ['bootloader=none', 'bootprefix=true']) {
      await ostree('config', 'set', ...`sysroot.${setting}`.split('='))
    }
    await admin('os-init', 'default')

    const [one, two] = images as [Image, Image]
    const first = await commit(one, '1')
    for (const { descriptor } of one.layers) {
      await ostree('refs', `--create=ostree/container/blob/${descriptor.digest.replace(':', '_3A_')}`, first)
    }
    await admin('deploy', '--os=default', '--karg=root=UUID=1', '--karg=quiet', 'oracle/x86_64')
    follow(first)
    const second = await commit(two, '2', first)
    await admin('deploy', '--os=default', '--karg-append=debug', 'oracle/x86_64')
    commits = [first, second]
    // The same commit once more, which gives it another serial.
    await admin('deploy', '--os=default', '--retain', 'oracle/x86_64')
  }, 60_000)
  afterAll(async () => {
    await run('chattr', ['-R', '-i', sysroot])
    rmSync(sysroot, { recursive: true, force: true })
  })

  /** Makes the deployments of a commit follow a container image, as bootc does it. */
  function follow(checksum: string): void {
    const deployments = join(sysroot, 'ostree/deploy/default/deploy')
    for (const name of readdirSync(deployments).filter((each) => each === `${checksum}.0`)) {
      const origin = `[origin]\ncontainer-image-reference=ostree-unverified-registry:${REFERENCE}\n`
      writeFileSync(join(deployments, `${name}.origin`), origin)
    }
  }

  /** The lines of `ostree admin status` that name a deployment, taken apart. */
  async function status(): Promise<object[]> {
    const lines = (await admin('status')).split('\n')
    return lines.flatMap((line, index) => {
      const [, stateroot, checksum, serial, marks] = /^[* ] (\S+) ([0-9a-f]{64})\.(\d+)(.*)$/.exec(line) ?? []
      if (stateroot === undefined) return []
      const rest = lines.slice(index + 1)
      const end = rest.findIndex((each) => /^[* ] \S/.test(each))
      const below = (end < 0 ? rest : rest.slice(0, end)).join('\n')
      const version = /Version: (.*)/.exec(below)?.[1]
      const refspec = /origin refspec: (.*)/.exec(below)?.[1]
      const pinned = /Pinned: yes/.test(below) || /pinned/.test(marks ?? '')
      return [{ stateroot, commit: checksum, serial: Number(serial), version, refspec, pinned }]
    })
  }

  const read = async (): Promise<Deployment[]> => readDeployments(await readHostTree(sysroot))
  const asStatus = (deployments: readonly Deployment[]): object[] =>
    deployments.map(({ stateroot, commit: checksum, serial, version, origin }) => ({
      stateroot,
      commit: checksum,
      serial,
      version,
      refspec: origin?.refspec,
      pinned: origin?.pinned,
    }))

  test('is read as ostree admin status reads it, also after pin and undeploy', async () => {
    const before = await status()
    expect(before).toMatchObject([{ serial: 1 }, { serial: 0, version: '2' }, { version: '1' }])
    expect(asStatus(await read())).toEqual(before)

    // `ostree admin pin` writes this, but wants the host to have an SELinux policy first.
    const [, second] = await read()
    appendFileSync(join(sysroot, `${second?.path}.origin`), '\n[libostree-transient]\npinned=true\n')
    const pinned = await status()
    expect(asStatus(await read())).toEqual(pinned)
    expect(pinned).not.toEqual(before)

    await admin('undeploy', '0')
    const after = await status()
    expect(asStatus(await read())).toEqual(after)
    expect(after).toEqual(pinned.slice(1))
  })

  test('gives kernel, arguments, image and configuration of each deployment', async () => {
    const deployments = await read()
    const origins = readdirSync(join(sysroot, 'ostree/deploy/default/deploy')).filter((name) =>
      statSync(join(sysroot, 'ostree/deploy/default/deploy', name)).isDirectory(),
    )
    expect(deployments.map(({ path }) => path.split('/').at(-1)).sort()).toEqual(origins.sort())
    for (const deployment of deployments) {
      const index = commits.indexOf(deployment.commit)
      const image = images[index] as Image
      expect(deployment).toMatchObject({
        kernelVersion: KERNEL,
        timestamp: 1_750_000_000,
        composefs: { enabled: 'maybe' },
        labels: { labelled: 0 },
        image: {
          manifestDigest: image.manifest.descriptor.digest,
          configDigest: image.config.descriptor.digest,
          version: `${index + 1}`,
          platform: { architecture: 'amd64', os: 'linux' },
        },
        findings: [],
      })
      expect(deployment.base).toBe(index === 0 ? undefined : commits[0])
      const entry = readFileSync(join(sysroot, deployment.bootEntry?.path ?? ''), 'utf8')
      expect(entry).toContain(`\noptions ${deployment.kernelArguments.join(' ')}\n`)
      expect(entry).toContain(`title ${deployment.bootEntry?.title}\n`)
    }
  })

  test('is compared with a layout', async () => {
    const [deployment] = (await read()).filter(({ origin }) => origin?.image)
    expect(deployment?.commit).toBe(commits[0])
    const digests = images.map(({ manifest }) => manifest.descriptor.digest)
    expect(await checkUpdate(deployment as Deployment, stores[0] as ImageStore)).toMatchObject({
      reference: `docker://${REFERENCE}`,
      deployed: { digest: digests[0], version: '1' },
      available: { digest: digests[0], version: '1' },
      changed: false,
    })
    expect(await checkUpdate(deployment as Deployment, stores[1] as ImageStore)).toMatchObject({
      deployed: { digest: digests[0], version: '1' },
      available: { digest: digests[1], version: '2' },
      changed: true,
      layers: { total: 2, missing: 1 },
      bytes: images[1]?.layers[1]?.descriptor.size,
    })
  })

  describe.runIf(requireTool('docker-registry', 'skopeo'))('compared with the real registry', () => {
    test('sees a tag move', async () => {
      const registry = await startDockerRegistry()
      try {
        const name = `${registry.host}/lab/os:latest`
        const push = (layout: string): Promise<unknown> =>
          runOk('skopeo', [
            ...['--insecure-policy', 'copy', '--quiet', '--preserve-digests', '--dest-tls-verify=false'],
            ...[`oci:${layout}:latest`, `docker://${name}`],
          ])
        const tree = await readHostTree(sysroot)
        const { deployments, storedLayers } = await readSysroot(tree)
        expect(storedLayers.toSorted()).toEqual(
          images[0]?.layers.map(({ descriptor }) => descriptor.digest as string).sort(),
        )
        const deployment = deployments.find(({ origin }) => origin?.image) as Deployment
        const store = registryStore(name, { ...nodeRegistryOptions(), insecure: true })

        await push(layouts[0] as string)
        expect(await checkUpdate(deployment, store)).toMatchObject({ changed: false, bytes: 0 })

        await push(layouts[1] as string)
        const inspect = ['inspect', '--tls-verify=false', '--format', '{{.Digest}}', `docker://${name}`]
        const { stdout } = await runOk('skopeo', inspect)
        expect(await checkUpdate(deployment, store, { storedLayers })).toMatchObject({
          available: { digest: stdout.trim(), version: '2' },
          changed: true,
          layers: { total: 2, missing: 1 },
          bytes: images[1]?.layers[1]?.descriptor.size,
        })
        await store.close()
      } finally {
        await registry.close()
      }
    })
  })
})
