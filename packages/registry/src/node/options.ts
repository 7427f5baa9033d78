import { nodeRuntime } from '@bootable/bytes/node'
import { type Credentials, chainCredentials } from '../auth/credentials.ts'
import type { RegistryOptions } from '../client/options.ts'
import { certsDirectories } from './certs-d.ts'
import { containersCredentials } from './containers-auth.ts'
import { dockerCredentials, environmentCredentials } from './docker-config.ts'
import type { HostTlsTable } from './host-tls.ts'
import { environmentProxy } from './proxy.ts'
import { routeRegistries } from './registries-files.ts'
import { nodeTransport } from './transport.ts'

/**
 * The logins of the user on this host: those in the environment first, then podman's and skopeo's, then
 * Docker's, in the order of podman.
 */
export function hostCredentials(): Credentials {
  return chainCredentials(environmentCredentials(), containersCredentials(), dockerCredentials())
}

/** Options of {@link nodeRegistryOptions}. */
export interface NodeRegistryOptions {
  /** What is special about single hosts; it counts in place of their `certs.d` folders. */
  readonly hosts?: HostTlsTable
  /** `http://user:password@proxy.lan:3128` for everything. @defaultValue {@link environmentProxy} */
  readonly proxy?: string
}

/**
 * What `openRegistry` does best with in Node: `openRegistry({ ...nodeRegistryOptions(), insecure })`. Hosts are
 * reached and trusted as podman and skopeo do it on this host: logins, `certs.d`, `registries.conf`, proxies
 * of the environment.
 * @throws BootableError `CONFIGURATION_INVALID` for the address of a proxy
 */
export function nodeRegistryOptions(
  options: NodeRegistryOptions = {},
): Required<Pick<RegistryOptions, 'transport' | 'credentials' | 'runtime' | 'router'>> {
  const { hosts = {}, proxy = environmentProxy() } = options
  const certificates = certsDirectories()
  return {
    transport: nodeTransport({ hosts: async (host) => hosts[host] ?? certificates(host), proxy }),
    credentials: hostCredentials(),
    router: routeRegistries(),
    runtime: nodeRuntime,
  }
}
