import { type Assembler, at, r8, rax, rcx, rdi, rdx, rsi } from './assembler.ts'

/** The first serial port of a PC: its data and its line status register, whose bit 5 says "empty". */
const COM1 = 0x3f8
const LINE_STATUS = COM1 + 5
const TRANSMITTER_EMPTY = 0x20

/**
 * Routines that print on COM1, in 64-bit code, with or without firmware around. They use rax, rcx, rdx
 * and what their line says; the port is used as it is found, which suits every virtual machine.
 *
 * - `putCharacter`: rcx
 * - `putText`: rsi, address of characters up to a zero
 * - `putWideText`: rsi, the same in UTF-16, and rdi, where it ends at the latest; what is not ASCII becomes `?`
 * - `putHex`: rdi, a number of 32 bits, as eight digits; r8 counts them
 */
export function writeSerialRoutines(code: Assembler): void {
  code.label('putCharacter')
  code.set(rdx, LINE_STATUS)
  code.label('putCharacter.wait')
  code.inByte()
  code.calculate('and', rax, { constant: TRANSMITTER_EMPTY })
  code.jumpIf('equal', 'putCharacter.wait')
  code.set(rdx, COM1)
  code.move(rax, rcx)
  code.outByte()
  code.return()

  code.label('putText')
  code.load(rcx, at(rsi), 8)
  code.calculate('add', rsi, { constant: 1 })
  code.calculate('cmp', rcx, { constant: 0 })
  code.jumpIf('equal', 'putText.end')
  code.call('putCharacter')
  code.jump('putText')
  code.label('putText.end')
  code.return()

  code.label('putWideText')
  code.calculate('cmp', rsi, rdi)
  code.jumpIf('aboveOrEqual', 'putText.end')
  code.load(rcx, at(rsi), 16)
  code.calculate('add', rsi, { constant: 2 })
  code.calculate('cmp', rcx, { constant: 0 })
  code.jumpIf('equal', 'putText.end')
  code.calculate('cmp', rcx, { constant: 0x7f })
  code.jumpIf('belowOrEqual', 'putWideText.plain')
  code.set(rcx, '?'.charCodeAt(0))
  code.label('putWideText.plain')
  code.call('putCharacter')
  code.jump('putWideText')

  code.label('putHex')
  code.shiftLeft(rdi, 32) // the digits leave at the top
  code.set(r8, 8)
  code.label('putHex.digit')
  code.move(rcx, rdi)
  code.shiftRight(rcx, 60)
  code.calculate('cmp', rcx, { constant: 10 })
  code.jumpIf('below', 'putHex.decimal')
  code.calculate('add', rcx, { constant: 'a'.charCodeAt(0) - '0'.charCodeAt(0) - 10 })
  code.label('putHex.decimal')
  code.calculate('add', rcx, { constant: '0'.charCodeAt(0) })
  code.call('putCharacter')
  code.shiftLeft(rdi, 4)
  code.calculate('sub', r8, { constant: 1 })
  code.jumpIf('notEqual', 'putHex.digit')
  code.return()
}
