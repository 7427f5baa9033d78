import { BootableError } from '@bootable/bytes'
import { Command } from 'commander'
import { printable } from '../render/printable.ts'

/** `bootable image tags`: the names that a registry, a layout or an archive holds. */
export function imageTagsCommand(signal: AbortSignal): Command {
  return new Command('tags')
    .description('list the tags of a repository, or the names in a layout or an archive')
    .argument('<place>', 'docker://host/name, oci:folder, oci-archive:file or docker-archive:file')
    .option('--json', 'print one JSON array')
    .option('--no-tls-verify', 'allow plain http and any certificate')
    .action(async (place: string, { json, tlsVerify }: { json?: true; tlsVerify: boolean }) => {
      const { openStoreOf } = await import('@bootable/core/node')
      const registry = tlsVerify ? {} : { registry: { insecure: true } }
      const { store } = await openStoreOf(place, registry)
      try {
        const tags: string[] = []
        if (!store.tags) {
          throw new BootableError('STORE_UNLISTED', `${store.name} cannot say which names it holds`, {
            details: { store: store.name },
          })
        }
        for await (const tag of store.tags({ signal })) {
          if (json) tags.push(tag)
          else process.stdout.write(`${printable(tag)}\n`)
        }
        if (json) process.stdout.write(`${JSON.stringify(tags)}\n`)
      } finally {
        await store.close?.()
      }
    })
}
