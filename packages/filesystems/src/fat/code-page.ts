import { ENTRY_FREE, ENTRY_KANJI, NT_LOWER_BASE, NT_LOWER_EXTENSION } from './format.ts'

/** Bytes 0x80 to 0xFF of code page 437, which Linux takes for short names unless told otherwise. */
const CP437 =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐' +
  '└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0'

/**
 * A short name as a person knows it: `KERNEL  IMG` is `KERNEL.IMG`.
 * @param ntRes DIR_NTRes, by which Windows NT and its followers keep a name that is all lower case
 */
export function decodeShortName(bytes: Uint8Array, ntRes: number): string {
  const characters = [...bytes].map((byte, index) => {
    const value = index === 0 && byte === ENTRY_KANJI ? ENTRY_FREE : byte
    return value < 0x80 ? String.fromCharCode(value) : (CP437[value - 0x80] as string)
  })
  const part = (from: number, to: number, lower: boolean): string => {
    const text = characters.slice(from, to).join('').trimEnd()
    return lower ? text.toLowerCase() : text
  }
  const base = part(0, 8, (ntRes & NT_LOWER_BASE) !== 0)
  const extension = part(8, 11, (ntRes & NT_LOWER_EXTENSION) !== 0)
  return extension === '' ? base : `${base}.${extension}`
}
