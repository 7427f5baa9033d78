import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { registryError } from '../errors.ts'
import { type AddressScope, isNearer, scopeOfAddress } from '../http/address.ts'

/**
 * Resolves names, but only to addresses that are not nearer than `nearest`: a name is only a name, and a
 * stranger who gave it may let it lead to this machine (google/go-containerregistry#2440).
 *
 * A connection that was made this way serves only requests with the same bound.
 */
export function boundedLookup(nearest: AddressScope, lookup: LookupFunction = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      const addresses = found as unknown as LookupAddress[]
      const allowed = error
        ? []
        : addresses.filter(({ address }) => !isNearer(scopeOfAddress(address), nearest))
      const [first] = allowed
      if (error || !first) {
        const reason = error ?? refused(hostname, addresses)
        return callback(reason as NodeJS.ErrnoException, '', 4)
      }
      if (options.all) return callback(null, allowed)
      callback(null, first.address, first.family)
    })
  }
}

function refused(hostname: string, addresses: readonly LookupAddress[]): Error {
  const scope = scopeOfAddress(addresses[0]?.address ?? '0.0.0.0')
  const message = `a server sent us to ${hostname}, refused: the name stands for a ${scope} address`
  return registryError('POLICY', message, { host: hostname })
}
