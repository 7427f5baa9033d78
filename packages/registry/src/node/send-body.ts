import type { ClientRequest } from 'node:http'

/**
 * Writes a stream as the body of a request, no faster than the server takes it. Ends early, without an error,
 * when the server answers early: what it says counts then.
 * @param size of the whole, in bytes
 * @throws what the stream throws; the request is destroyed
 */
export async function sendBody(
  request: ClientRequest,
  chunks: AsyncIterable<Uint8Array>,
  size: number,
): Promise<void> {
  let over = false
  let written = 0
  let wake: (() => void) | undefined
  const end = (): void => {
    over = true
    wake?.()
  }
  for (const event of ['response', 'close', 'error']) request.once(event, end)
  request.on('drain', () => wake?.())
  try {
    for await (const chunk of chunks) {
      if (over) break
      written += chunk.length
      if (request.write(chunk)) continue
      await new Promise<void>((resolve) => {
        wake = resolve
      })
      wake = undefined
      if (over) break
    }
    // A whole body leaves a connection that serves again, even if the answer was quicker than this line.
    if (written === size) request.end()
  } catch (error) {
    request.destroy()
    throw error
  }
}
