import { parseImageSource } from '@bootable/core'
import { expect, it } from 'vitest'
import { updateAddress } from '../../src/node/update-address.ts'

it.each([
  ['quay.io/example/os:1', 'docker://quay.io/example/os:1'],
  ['oci-archive:os.tar', 'oci-archive:os.tar'],
  ['containers-storage:quay.io/example/os:1', 'docker://quay.io/example/os:1'],
  ['containers-storage:[overlay@/a+/b]quay.io/example/os:1', 'docker://quay.io/example/os:1'],
  ['docker-daemon:quay.io/example/os:1', 'docker://quay.io/example/os:1'],
  ['containers-storage:localhost/os:1', 'containers-storage:localhost/os:1'],
  ['containers-storage:', 'containers-storage:'],
  ['docker-daemon:0123abcd', 'docker-daemon:0123abcd'],
])('a machine made of %s is updated from %s', (address, expected) => {
  expect(updateAddress(parseImageSource(address))).toBe(expected)
})
