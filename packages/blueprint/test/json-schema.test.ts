import { expect, it } from 'vitest'
import { blueprintJsonSchema } from '../src/index.ts'

it('describes the keys for editors', () => {
  const schema = blueprintJsonSchema() as {
    properties: { customizations: { properties: Record<string, { items?: { required?: string[] } }> } }
    additionalProperties: boolean
  }
  expect(schema.additionalProperties).toBe(false)
  const { properties } = schema.properties.customizations
  expect(Object.keys(properties)).toEqual(
    expect.arrayContaining(['user', 'filesystem', 'disk', 'updates', 'hostname']),
  )
  expect(properties.user?.items?.required).toEqual(['name'])
  expect(properties.filesystem?.items?.required).toEqual(['mountpoint', 'minsize'])
  expect(JSON.stringify(properties.disk)).toContain('"description":"LUKS2')
  // Plain data: what an editor reads from a file.
  expect(JSON.parse(JSON.stringify(schema))).toEqual(schema)
})
