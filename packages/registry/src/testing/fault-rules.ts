import { utf8 } from '@bootable/bytes'
import type { Clock } from '../clock.ts'
import { registryError } from '../errors.ts'
import { answer, type Call, chunksOf, withBody } from './answer.ts'
import type { TestFault, TestFaultKind } from './fault.ts'
import { appendBody, cutBody, flipBody, offsetOf, stallBody } from './fault-body.ts'

const KINDS: ReadonlySet<string> = new Set<TestFaultKind['kind']>([
  'status',
  'drop',
  'delay',
  'redirect',
  'ignore-range',
  'headers',
  'cut',
  'stall',
  'flip',
  'append',
])

/** A fault and the requests that it has seen. */
interface Rule {
  readonly fault: TestFault
  readonly path: RegExp | undefined
  readonly counts: Map<string, number>
}

/** The faults of a registry. */
export interface FaultRules {
  /** @returns takes it back */
  add(fault: TestFault): () => void
  /** Those that this request meets, in the order in which they were added; counts the request. */
  take(call: Call): TestFault[]
}

export function createFaultRules(faults: readonly TestFault[]): FaultRules {
  const rules = new Set<Rule>()
  function add(fault: TestFault): () => void {
    const rule = { fault, path: checkFault(fault), counts: new Map() }
    rules.add(rule)
    return () => void rules.delete(rule)
  }
  for (const fault of faults) add(fault)
  return {
    add,
    take: (call) => [...rules].filter((rule) => meets(rule, call)).map(({ fault }) => fault),
  }
}

function meets({ fault, path, counts }: Rule, { method, url }: Call): boolean {
  const { match = {} } = fault
  const target = url.pathname + url.search
  if (match.method !== undefined && match.method !== method) return false
  if (path && !path.test(target)) return false
  const key = match.perPath ? url.pathname : ''
  const count = counts.get(key) ?? 0
  counts.set(key, count + 1)
  const { after = 0, times = 1 } = match
  return count >= after && count < after + times
}

/** Data that came as JSON may be anything. @returns the expression for the path */
function checkFault(fault: TestFault): RegExp | undefined {
  const invalid = (what: string): Error =>
    registryError<'FAULT_INVALID'>('FAULT_INVALID', `not a fault: ${what}`, { fault })
  if (!KINDS.has(fault.kind)) throw invalid(`the kind ${JSON.stringify(fault.kind)}`)
  if ('at' in fault && !/^\d+(?:\.\d+)?%$|^\d+$/.test(String(fault.at))) {
    throw invalid(`the position ${JSON.stringify(fault.at)}`)
  }
  const path = fault.match?.path
  try {
    // Without the flags that make an expression remember where it was.
    return path === undefined ? undefined : new RegExp(typeof path === 'string' ? path : path.source)
  } catch {
    throw invalid(`the expression ${JSON.stringify(path)}`)
  }
}

/** What becomes of a request before it is looked at: another request, or at once an answer. */
export async function beforeAnswer(
  call: Call,
  faults: readonly TestFault[],
  clock: Clock,
): Promise<Call | Response> {
  let current = call
  for (const fault of faults) {
    switch (fault.kind) {
      case 'delay':
        await clock.sleep(fault.milliseconds)
        break
      case 'drop':
        return Response.error()
      case 'status':
        return answer(fault.status, fault.headers, fault.body === undefined ? undefined : utf8(fault.body))
      case 'redirect': {
        const target = new URL(fault.to)
        const isOrigin = target.pathname === '/' && target.search === ''
        const location = isOrigin ? new URL(call.url.pathname + call.url.search, target) : target
        return answer(fault.status ?? 307, { Location: location.href })
      }
      case 'ignore-range': {
        const headers = new Headers(current.headers)
        headers.delete('range')
        current = { ...current, headers }
        break
      }
      case 'cut':
      case 'flip': {
        if (fault.side !== 'request') break
        const offset = offsetOf(fault.at, lengthOf(current.headers))
        const { body } = current
        current = {
          ...current,
          body: fault.kind === 'cut' ? cutBody(body, offset, fault.how ?? 'reset') : flipBody(body, offset),
        }
      }
    }
  }
  return current
}

/** What becomes of the right answer on its way back. */
export function afterAnswer(response: Response, faults: readonly TestFault[]): Response {
  let current = response
  for (const fault of faults) {
    const side = 'side' in fault ? (fault.side ?? 'response') : 'response'
    if (side === 'request') continue
    const length = lengthOf(response.headers)
    const body = (): AsyncIterable<Uint8Array> => chunksOf(current.body)
    if (fault.kind === 'headers') current = withHeaders(current, fault.set)
    else if (fault.kind === 'cut') {
      current = withBody(current, cutBody(body(), offsetOf(fault.at, length), fault.how ?? 'reset'))
    } else if (fault.kind === 'stall') {
      current = withBody(current, stallBody(body(), offsetOf(fault.at, length)))
    } else if (fault.kind === 'flip') {
      current = withBody(current, flipBody(body(), offsetOf(fault.at, length)))
    } else if (fault.kind === 'append') {
      current = withBody(current, appendBody(body(), utf8(fault.text)))
      current.headers.delete('content-length')
    }
  }
  return current
}

function withHeaders(response: Response, set: Readonly<Record<string, string | null>>): Response {
  const changed = withBody(response, response.body === null ? undefined : chunksOf(response.body))
  for (const [name, value] of Object.entries(set)) {
    if (value === null) changed.headers.delete(name)
    else changed.headers.set(name, value)
  }
  return changed
}

function lengthOf(headers: Headers): number | undefined {
  const text = headers.get('content-length')
  return text === null ? undefined : Number(text)
}
