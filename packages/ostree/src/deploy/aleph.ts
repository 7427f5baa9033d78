import { canonicalJson } from '../import/canonical-json.ts'

/** What `.bootc-aleph.json` says about how a machine came to be. */
export interface Aleph {
  /** Of the platform's manifest. */
  readonly digest: string
  /** Name of the image that the machine updates from, without its transport. */
  readonly name: string
  /** Version of the installed kernel. */
  readonly kernel: string
  /** Of the image's configuration. */
  readonly labels: Readonly<Record<string, string>>
  /** Whether the image has an SELinux policy. */
  readonly selinux: boolean
}

/**
 * The content of `/.bootc-aleph.json`: canonical JSON (RFC 8785), as bootc writes it.
 *
 * Two fields of bootc's describe the machine that runs the installation. Here nothing of that machine
 * reaches a disk: `kernel` is the installed system's own, and `image` is the target as well.
 */
export function formatAleph({ digest, name, kernel, labels, selinux }: Aleph): string {
  return canonicalJson({
    digest,
    image: name,
    kernel,
    ...(Object.keys(labels).length > 0 && { labels }),
    selinux: selinux ? 'enabled' : 'disabled',
    'target-image': name,
    timestamp: labels['org.opencontainers.image.created'] ?? null,
    version: labels['org.opencontainers.image.version'] ?? labels.version ?? null,
  })
}
