import { describe, expect, test } from 'vitest'
import { addressScope } from '../../src/http/address.ts'
import { checkNextPage, checkRealm, checkRedirect } from '../../src/http/policy.ts'
import { redactUrl } from '../../src/http/redact.ts'

test.each([
  ['localhost', 'loopback'],
  ['registry.localhost', 'loopback'],
  ['localhost.', 'loopback'],
  ['127.0.0.1', 'loopback'],
  ['127.1', 'loopback'],
  ['0x7f000001', 'loopback'],
  ['2130706433', 'loopback'],
  ['0.0.0.0', 'loopback'],
  ['[::1]', 'loopback'],
  ['[::]', 'loopback'],
  ['[::ffff:127.0.0.1]', 'loopback'],
  ['[0:0:0:0:0:FFFF:7F00:0001]', 'loopback'],
  ['[64:ff9b::127.0.0.1]', 'loopback'],
  ['169.254.169.254', 'link-local'],
  ['[fe80::1]', 'link-local'],
  ['[::ffff:a9fe:a9fe]', 'link-local'],
  ['10.1.2.3', 'private'],
  ['172.16.0.1', 'private'],
  ['172.32.0.1', 'public'],
  ['192.168.1.1', 'private'],
  ['100.64.0.1', 'private'],
  ['[fd00::1]', 'private'],
  ['8.8.8.8', 'public'],
  ['[2001:db8::1]', 'public'],
  ['quay.io', 'public'],
  ['localhost.example.org', 'public'],
] as const)('%s is %s', (host, scope) => {
  expect(addressScope(new URL(`http://${host}/`))).toBe(scope)
})

describe('redirects', () => {
  test.each([
    ['another host', 'https://quay.io/v2/a', 'https://cdn.example.org/x', 'https://cdn.example.org/x'],
    ['a relative place', 'https://quay.io/v2/a/b', '../c', 'https://quay.io/v2/c'],
    ['from http to https', 'http://127.0.0.1:5000/v2/', 'https://quay.io/', 'https://quay.io/'],
    [
      'from loopback to loopback',
      'http://127.0.0.1:5000/',
      'http://localhost:5001/',
      'http://localhost:5001/',
    ],
    ['from private to private', 'https://10.0.0.1/', 'https://10.0.0.2/', 'https://10.0.0.2/'],
    ['from public to private', 'https://registry.example.org/', 'https://10.0.0.2/', 'https://10.0.0.2/'],
  ])('followed: %s', (_, from, location, target) => {
    expect(checkRedirect(location, new URL(from)).href).toBe(target)
  })

  test.each([
    ['https to http', 'https://quay.io/', 'http://quay.io/'],
    ['public to loopback', 'https://quay.io/', 'https://127.0.0.1/'],
    ['public to the metadata service of a cloud', 'http://registry.lan/', 'http://169.254.169.254/latest'],
    ['private to link-local', 'http://10.0.0.1/', 'http://169.254.169.254/latest'],
    ['another scheme', 'https://quay.io/', 'file:///etc/shadow'],
    ['a user name', 'https://quay.io/', 'https://me:you@quay.io/'],
  ])('refused: %s', (_, from, location) => {
    expect(() => checkRedirect(location, new URL(from))).toThrow(expect.objectContaining({ code: 'POLICY' }))
  })
})

describe('token realms', () => {
  test.each([
    ['another public host', 'https://auth.docker.io/token', 'https://registry-1.docker.io/'],
    ['another port of the same host', 'http://127.0.0.1:5005/token', 'http://127.0.0.1:5000/'],
    ['the same private host', 'https://10.0.0.1/token', 'https://10.0.0.1:5000/'],
  ])('asked: %s', (_, realm, registry) => {
    expect(checkRealm(realm, new URL(registry)).href).toBe(realm)
  })

  // The class of CVE-2026-48978 and CVE-2026-33990: credentials sent to wherever a challenge says.
  test.each([
    ['http for a registry with https', 'http://auth.example.org/', 'https://registry.example.org/'],
    ['loopback', 'https://127.0.0.1/', 'https://registry.example.org/'],
    ['link-local', 'https://169.254.169.254/', 'https://registry.example.org/'],
    ['a private address', 'https://192.168.1.1/', 'https://registry.example.org/'],
    ['a user name', 'https://a:b@registry.example.org/', 'https://registry.example.org/'],
    ['another scheme', 'file:///etc/passwd', 'https://registry.example.org/'],
  ])('refused: %s', (_, realm, registry) => {
    expect(() => checkRealm(realm, new URL(registry))).toThrow(expect.objectContaining({ code: 'POLICY' }))
  })

  test('not a URL', () => {
    const check = (): URL => checkRealm('/token', new URL('https://quay.io/'))
    expect(check).toThrow(expect.objectContaining({ code: 'PROTOCOL' }))
  })
})

test('the next page is on the same origin', () => {
  const from = new URL('https://quay.io/v2/a/tags/list?n=2')
  expect(checkNextPage('/v2/a/tags/list?last=b', from).href).toBe('https://quay.io/v2/a/tags/list?last=b')
  expect(checkNextPage('https://quay.io:443/x', from).href).toBe('https://quay.io/x')
  expect(() => checkNextPage('https://evil.example/x', from)).toThrow(
    expect.objectContaining({ code: 'POLICY' }),
  )
  expect(() => checkNextPage('http://quay.io/x', from)).toThrow(expect.objectContaining({ code: 'POLICY' }))
})

test('URLs in messages show neither users nor signatures', () => {
  const url = new URL('https://u:p@s3.example/a?X-Amz-Signature=abc&n=3&X-Amz-Signature=def#f')
  expect(redactUrl(url)).toBe('https://s3.example/a?X-Amz-Signature=***&n=3')
})
