import type { Clock } from '../clock.ts'
import { type Call, failure } from './answer.ts'
import type { TestRateLimit } from './options.ts'

/** Counts pulls as Docker Hub does: each GET of a manifest, none of HEAD. */
export interface RateLimit {
  apply(call: Call, respond: () => Response | Promise<Response>): Promise<Response>
}

export function createRateLimit(quota: TestRateLimit | undefined, clock: Clock): RateLimit {
  if (!quota) return { apply: async (_, respond) => respond() }
  const { limit, window = 21_600 } = quota
  let used = 0
  let start = clock.now()
  return {
    async apply({ method, url }, respond) {
      const isManifest = /\/manifests\/[^/]+$/.test(url.pathname)
      if (!isManifest || (method !== 'GET' && method !== 'HEAD')) return respond()
      if (clock.now() - start >= window * 1000) {
        start = clock.now()
        used = 0
      }
      const isOver = method === 'GET' && used >= limit
      if (method === 'GET' && !isOver) used++
      const rest = Math.ceil(window - (clock.now() - start) / 1000)
      const response = isOver
        ? failure(429, 'TOOMANYREQUESTS', 'too many pulls', { 'Retry-After': String(rest) })
        : await respond()
      response.headers.set('RateLimit-Limit', `${limit};w=${window}`)
      response.headers.set('RateLimit-Remaining', `${limit - used};w=${window}`)
      return response
    },
  }
}
