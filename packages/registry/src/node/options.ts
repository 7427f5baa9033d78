import { nodeRuntime } from '@bootable/bytes/node'
import { type Credentials, chainCredentials } from '../auth/credentials.ts'
import type { RegistryOptions } from '../client/options.ts'
import { containersCredentials } from './containers-auth.ts'
import { dockerCredentials } from './docker-config.ts'
import { nodeTransport } from './transport.ts'

/** The logins of the user on this host: podman's and skopeo's first, then Docker's, as podman does it. */
export function hostCredentials(): Credentials {
  return chainCredentials(containersCredentials(), dockerCredentials())
}

/** What `openRegistry` does best with in Node: `openRegistry({ ...nodeRegistryOptions(), insecure })`. */
export function nodeRegistryOptions(): Required<
  Pick<RegistryOptions, 'transport' | 'credentials' | 'runtime'>
> {
  return { transport: nodeTransport(), credentials: hostCredentials(), runtime: nodeRuntime }
}
