import { describe, expect, test } from 'vitest'
import { addressScope } from '../../src/http/address.ts'
import {
  checkForeignUrl,
  checkNextPage,
  checkRealm,
  checkRedirect,
  checkUploadLocation,
} from '../../src/http/policy.ts'
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
    expect(checkRedirect(location, new URL(from)).url.href).toBe(target)
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
    expect(checkRealm(realm, new URL(registry)).url.href).toBe(realm)
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
    const check = (): unknown => checkRealm('/token', new URL('https://quay.io/'))
    expect(check).toThrow(expect.objectContaining({ code: 'PROTOCOL' }))
  })
})

describe('places to upload to', () => {
  test.each([
    ['a relative one', 'https://quay.io/v2/a/blobs/uploads/', '/v2/a/blobs/uploads/1?_state=x%2By', true],
    ['an absolute one', 'https://quay.io/v2/', 'https://quay.io/v2/a?_state=x%2By', true],
    // oras-project/oras-go#177: asked on an explicit 443, a registry leaves it out, or adds it.
    ['443 left out', 'https://quay.io:443/v2/', 'https://quay.io/v2/a?_state=x%2By', true],
    ['443 added', 'https://quay.io/v2/', 'https://quay.io:443/v2/a?_state=x%2By', true],
    // A registry behind a proxy that ends TLS does not know that there is any.
    ['the scheme of what is behind a proxy', 'https://quay.io/v2/', 'http://quay.io/v2/a?_state=x%2By', true],
    ['and its port', 'https://quay.io/v2/', 'http://quay.io:5000/v2/a?_state=x%2By', true],
    ['80 added', 'http://127.0.0.1/v2/', 'http://127.0.0.1:80/v2/a?_state=x%2By', true],
    // CVE-2026-50151: credentials stay where they are.
    ['another port', 'https://quay.io/v2/', 'https://quay.io:8443/v2/a?_state=x%2By', false],
    ['storage', 'https://quay.io/v2/', 'https://s3.example/a?_state=x%2By', false],
    ['http to https', 'http://127.0.0.1/v2/', 'https://127.0.0.1/a?_state=x%2By', false],
  ])('%s', (_, from, location, isSame) => {
    const { url } = checkUploadLocation(location, new URL(from))
    expect(url.origin === new URL(from).origin).toBe(isSame)
    expect(url.search).toBe('?_state=x%2By')
  })

  test.each([
    ['https to http', 'https://quay.io/', 'http://s3.example/v2/a'],
    ['public to loopback', 'https://quay.io/', 'https://localhost/'],
    ['private to link-local', 'http://10.0.0.1/', 'http://169.254.169.254/'],
    ['a user name', 'https://quay.io/', 'https://u:p@quay.io/'],
    ['another scheme', 'https://quay.io/', 'ftp://quay.io/'],
  ])('refused: %s', (_, from, location) => {
    const check = (): unknown => checkUploadLocation(location, new URL(from))
    expect(check).toThrow(expect.objectContaining({ code: 'POLICY' }))
  })

  test('not a URL', () => {
    const check = (): unknown => checkUploadLocation('https://[', new URL('https://quay.io/'))
    expect(check).toThrow(expect.objectContaining({ code: 'PROTOCOL' }))
  })
})

describe('how near a name may lead', () => {
  const registry = new URL('https://registry.example/')
  const lan = new URL('https://10.0.0.1/')

  test('a registry in the world sends to no machine of ours, one of our network to our network', () => {
    expect(checkRealm('https://auth.example/', registry).nearest).toBe('public')
    expect(checkRealm('https://auth.example/', lan).nearest).toBe('private')
    expect(checkRedirect('https://cdn.example/', registry).nearest).toBe('private')
    expect(checkRedirect('https://cdn.example/', new URL('http://localhost/')).nearest).toBe('loopback')
    expect(checkForeignUrl('https://cdn.example/', registry).nearest).toBe('public')
  })

  test('the address that it answered from counts like its name', () => {
    expect(checkRealm('https://10.0.0.2/', registry, '10.0.0.1').nearest).toBe('private')
    expect(checkRealm('https://auth.example/', registry, '::ffff:127.0.0.1').nearest).toBe('loopback')
    expect(checkRealm('https://auth.example/', registry, 'fe80::1%eth0').nearest).toBe('link-local')
    expect(() => checkRealm('https://10.0.0.2/', registry, '203.0.113.7')).toThrow()
  })

  test('who was sent somewhere by a stranger gets no further in by the next redirect', () => {
    const bounds = { nearest: 'public', peer: '10.0.0.1' } as const
    expect(checkRedirect('https://cdn.example/', registry, bounds).nearest).toBe('public')
    expect(() => checkRedirect('https://10.0.0.2/', registry, bounds)).toThrow()
    // Nor does a registry on this machine open it to those that it sends us to.
    const cdn = new URL('https://cdn.example/')
    expect(() =>
      checkRedirect('https://127.0.0.1/', cdn, { nearest: 'loopback', peer: '203.0.113.7' }),
    ).toThrow()
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
