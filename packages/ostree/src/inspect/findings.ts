import { BootableError } from '@bootable/bytes'

/** Something in a sysroot that is not as ostree would have it; what could be read was read all the same. */
export interface Finding {
  /** Path in the sysroot, without a leading slash. */
  readonly path: string
  readonly message: string
}

/** Takes down what is wrong, so that the rest can still be shown. */
export interface FindingLog {
  readonly findings: Finding[]
  add(path: string, message: string): void
  /** The answer of `read`, or a finding and `undefined` where it throws an error of ours. */
  attempt<T>(path: string, read: () => Promise<T> | T): Promise<T | undefined>
}

export function createFindingLog(): FindingLog {
  const findings: Finding[] = []
  const add = (path: string, message: string): void => {
    findings.push({ path, message })
  }
  return {
    findings,
    add,
    async attempt(path, read) {
      try {
        return await read()
      } catch (error) {
        if (!BootableError.is(error)) throw error
        add(path, error.message)
        return undefined
      }
    },
  }
}
