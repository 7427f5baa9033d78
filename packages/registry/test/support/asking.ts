import type { TestRegistry } from '../../src/testing/index.ts'
import { describeBlob } from './server.ts'

/** A request to a test registry, as a program without a client library would write it. */
export interface Asking {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** Asks `method path`, the path being below `/v2/lab/image/` unless it begins with a slash. */
export function ask(registry: TestRegistry, line: string, { headers, body }: Asking = {}): Promise<Response> {
  const [method = '', path = ''] = line.split(' ')
  const url = new URL(path.startsWith('/') ? path : `/v2/lab/image/${path}`, 'http://registry.test')
  const init = { method, ...(headers && { headers }), ...(body !== undefined && { body }) }
  return registry.handle(new Request(url, init))
}

/** The code of the first error of an answer: distribution-spec, "Error Codes". */
export async function errorOf(response: Response): Promise<[number, string | undefined]> {
  const text = await response.text()
  const document = text === '' ? {} : (JSON.parse(text) as { errors?: { code: string }[] })
  return [response.status, document.errors?.[0]?.code]
}

/** Puts a blob in one request. */
export async function putBlob(
  registry: TestRegistry,
  content: string,
  repository = 'lab/image',
): Promise<string> {
  const { digest } = describeBlob(content)
  const response = await ask(registry, `POST /v2/${repository}/blobs/uploads/?digest=${digest}`, {
    body: content,
  })
  if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`)
  return digest
}

/** The target of the `Link` of a page. */
export function nextOf({ headers }: Response): string | undefined {
  return /^<([^>]*)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1]
}
