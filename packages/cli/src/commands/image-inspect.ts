import { Command } from 'commander'
import { formatManifestReport } from '../render/manifest.ts'

interface InspectFlags {
  readonly platform?: string
  readonly json?: true
  readonly raw?: true
  readonly tlsVerify: boolean
}

/** `bootable image inspect`: a manifest, read without its layers. */
export function imageInspectCommand(signal: AbortSignal): Command {
  return new Command('inspect')
    .description('show an index, an image or an artifact; layers are not fetched')
    .argument('<image>', 'docker://host/name:tag, oci:folder, oci-archive:file or docker-archive:file')
    .option('--platform <platform>', 'the image for it, such as linux/arm64, where there are several')
    .option('--json', 'print the report as JSON')
    .option('--raw', 'print the manifest byte for byte')
    .option('--no-tls-verify', 'allow plain http and any certificate')
    .action(async (image: string, { platform, json, raw, tlsVerify }: InspectFlags) => {
      const { openStoreOf } = await import('@bootable/core/node')
      const { inspectManifest, openImage, storeReference } = await import('@bootable/core')
      const registry = tlsVerify ? {} : { registry: { insecure: true } }
      const { store, source } = await openStoreOf(image, registry)
      try {
        const reference = storeReference(source)
        if (raw) {
          const options = { signal, ...(platform !== undefined && { platform }) }
          const { manifest } =
            platform === undefined
              ? { manifest: await store.getManifest(reference, options) }
              : await openImage(store, reference, options)
          process.stdout.write(manifest.raw)
          return
        }
        const report = await inspectManifest(store, reference, {
          signal,
          ...(platform !== undefined && { platform }),
        })
        process.stdout.write(
          json ? `${JSON.stringify(report, undefined, 2)}\n` : formatManifestReport(report),
        )
      } finally {
        await store.close?.()
      }
    })
}
