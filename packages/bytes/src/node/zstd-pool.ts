import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'

/**
 * Node before 22.15 has no zstd, and later ones each have another version of it, so blocks are compressed by
 * the same WebAssembly as everywhere; here in worker threads, one a core. The worker is a text: a file would
 * have to be found both in the sources and in what a bundler made of them.
 */
const WORKER = `
const { parentPort, workerData } = require('node:worker_threads')
const loading = import(workerData).then(async ({ Zstd }) => {
  const library = await Zstd.load()
  const heap = library._mainModule // as codec/zstd-library.ts
  if (typeof heap?.heapView === 'function') heap.heapToUint8Array = (data) => heap.heapView(data).slice()
  return library
})
parentPort.on('message', async ({ data, level }) => {
  try {
    const frame = (await loading).compress(data, level)
    parentPort.postMessage({ frame }, [frame.buffer])
  } catch (error) {
    parentPort.postMessage({ error })
  }
})`

interface Job {
  readonly data: Uint8Array<ArrayBuffer>
  readonly level: number
  resolve(frame: Uint8Array): void
  reject(error: unknown): void
}

const MAX_WORKERS = availableParallelism()
const waiting: Job[] = []
const idle: Worker[] = []
let started = 0

/** Compresses a block in a thread; checked arguments only. */
export function compressInPool(data: Uint8Array, level: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    // A copy of its own, which can move to the thread: the caller may use the buffer again.
    waiting.push({ data: new Uint8Array(data), level, resolve, reject })
    const worker = idle.pop() ?? (started < MAX_WORKERS ? startWorker() : undefined)
    if (worker) work(worker)
  })
}

function startWorker(): Worker {
  started++
  const library = pathToFileURL(createRequire(import.meta.url).resolve('@hpcc-js/wasm-zstd')).href
  return new Worker(WORKER, { eval: true, workerData: library })
}

/** Takes the next job, or rests; a resting worker does not keep the process alive. */
function work(worker: Worker): void {
  const job = waiting.shift()
  if (!job) {
    worker.unref()
    idle.push(worker)
    return
  }
  const onMessage = ({ frame, error }: { frame?: Uint8Array; error?: unknown }): void => {
    worker.off('error', onError)
    if (frame) job.resolve(frame)
    else job.reject(error)
    work(worker)
  }
  const onError = (error: unknown): void => {
    worker.off('message', onMessage)
    started--
    job.reject(error)
    if (waiting.length > 0) work(startWorker())
  }
  worker.once('message', onMessage)
  worker.once('error', onError)
  worker.ref()
  worker.postMessage({ data: job.data, level: job.level }, [job.data.buffer])
}
