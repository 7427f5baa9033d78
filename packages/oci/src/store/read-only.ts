import { BootableError } from '@bootable/bytes'
import type { OciErrorCode } from '../wire/errors.ts'
import type { ImageStore } from './store.ts'

/** The writing half of a store that cannot be written. @param name of the store, for the message */
export function readOnly(name: string): Pick<ImageStore, 'putBlob' | 'putManifest'> {
  const refuse = async (): Promise<never> => {
    throw new BootableError<OciErrorCode>('STORE_READ_ONLY', `${name} cannot be written to`, {
      details: { store: name },
    })
  }
  return { putBlob: refuse, putManifest: refuse }
}
