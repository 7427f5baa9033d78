/**
 * What a long call tells while it runs. Events are facts; percent, speed and time left are the
 * renderer's business. `id` is unique within one call and names the thing that moves forward.
 */
export type ProgressEvent =
  | {
      readonly type: 'start'
      readonly id: string
      readonly label: string
      readonly unit: 'bytes' | 'items'
      readonly total?: number
    }
  /** `done` counts from zero and never goes back. */
  | { readonly type: 'advance'; readonly id: string; readonly done: number; readonly total?: number }
  /** The thing was already there: nothing had to be moved. */
  | { readonly type: 'skip'; readonly id: string; readonly label: string }
  | { readonly type: 'end'; readonly id: string }
  /** A sentence for people, such as a choice that was made for them. */
  | { readonly type: 'note'; readonly message: string }
  /** Something that the user should look at; the call goes on. */
  | { readonly type: 'warning'; readonly message: string; readonly hint?: string }

/** Options that every asynchronous function takes. */
export interface OperationOptions {
  /** Cancels the call: it rejects with `signal.reason` and leaves nothing half-made behind. */
  readonly signal?: AbortSignal
  readonly onProgress?: (event: ProgressEvent) => void
}
