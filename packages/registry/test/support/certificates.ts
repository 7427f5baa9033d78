import { readFileSync } from 'node:fs'

const read = (name: string): string =>
  readFileSync(new URL(`../vectors/${name}.pem`, import.meta.url), 'utf8')

/** An authority and what it signed, in PEM; see `test/vectors`. */
export const CA = read('ca')
export const SERVER = { cert: read('server'), key: read('server.key') }
export const CLIENT = { cert: read('client'), key: read('client.key') }
