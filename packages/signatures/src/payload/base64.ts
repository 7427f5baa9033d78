/** The bytes of a text in base64; `undefined` where it is none. */
export function decodeBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch {
    return undefined
  }
}

/** Bytes as base64. */
export function encodeBase64(bytes: Uint8Array): string {
  let text = ''
  // `String.fromCharCode` takes its arguments from the stack, which is small.
  for (let start = 0; start < bytes.length; start += 8192) {
    text += String.fromCharCode(...bytes.subarray(start, start + 8192))
  }
  return btoa(text)
}
