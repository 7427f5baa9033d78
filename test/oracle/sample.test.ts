import { openImage, unpackImage } from '@bootable/core'
import { lookup } from '@bootable/tree'
import { expect, test } from 'vitest'
import { createSampleImage, SAMPLE_REFERENCE } from '../../tooling/sample/sample-image.ts'

test('the sample image is the same twice, and its layers do what they say', async () => {
  const [first, second] = await Promise.all([createSampleImage(), createSampleImage()])
  const image = await openImage(first, SAMPLE_REFERENCE)
  expect(image.manifest.descriptor).toEqual(await second.resolve(SAMPLE_REFERENCE))

  const tree = await unpackImage(image)
  const types = (...paths: string[]): unknown[] => paths.map((path) => lookup(tree, path)?.type)
  expect(types('usr/share/doc/base', 'usr/share/cache/one', 'usr/share/cache/two')).toEqual(
    Array(3).fill(undefined),
  )
  expect(types('usr/share/cache/three', 'etc/motd', 'home')).toEqual(['file', 'symlink', 'symlink'])
  expect(lookup(tree, 'usr/bin/tool')).toBe(lookup(tree, 'usr/sbin/tool'))
  expect(lookup(tree, 'usr/bin/listen')?.xattrs.get('security.capability')).toHaveLength(20)
})
