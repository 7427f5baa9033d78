import { createProgram, type Program } from './program.ts'

/** A general register of x86-64 by its number in instructions (Intel SDM, volume 2, table 2-2). */
export type Register = number

export const rax = 0
export const rcx = 1
export const rdx = 2
export const rbx = 3
export const rsp = 4
export const rbp = 5
export const rsi = 6
export const rdi = 7
export const r8 = 8
export const r9 = 9
export const r12 = 12
export const r13 = 13
export const r15 = 15

/** A place in memory: at a distance from what a register points to, or a label of the program. */
export type Memory = { readonly base: Register; readonly offset: number } | { readonly label: string }

/** Bits of an operand. Loads of fewer than 64 fill the register with zeros. */
export type Width = 8 | 16 | 32 | 64

/** What comes after `j` in the mnemonic of a conditional jump, and its code. */
const CONDITIONS = {
  below: 0x2,
  aboveOrEqual: 0x3,
  equal: 0x4,
  notEqual: 0x5,
  belowOrEqual: 0x6,
} as const

/** Instructions with one opcode pattern: the digit of the form with a constant (SDM, "ADD" and others). */
const OPERATIONS = { add: 0, or: 1, and: 4, sub: 5, xor: 6, cmp: 7 } as const

export const at = (base: Register, offset = 0): Memory => ({ base, offset })
export const here = (label: string): Memory => ({ label })

/**
 * Writes machine code of x86-64, just the instructions that the sample's programs need. Code is
 * position-independent: labels are reached relative to the instruction pointer.
 */
export interface Assembler extends Program {
  /** Four bytes: where `label` lies, relative to `from` or to the end of these bytes. */
  distance(label: string, from?: string): void

  /** `mov register, register` */
  move(to: Register, from: Register): void
  /** `mov register, constant`; the value is not negative. */
  set(to: Register, value: number | bigint): void
  load(to: Register, from: Memory, width?: Width): void
  store(to: Memory, from: Register, width?: Width): void
  /** `lea register, memory` */
  address(to: Register, of: Memory): void
  /** 64-bit arithmetic on a register; `cmp` only sets the flags. */
  calculate(
    operation: keyof typeof OPERATIONS,
    to: Register,
    by: Register | { readonly constant: number },
  ): void
  /** `imul register, register, constant`, 32 bits */
  multiply(to: Register, constant: number): void
  shiftLeft(to: Register, bits: number): void
  shiftRight(to: Register, bits: number): void
  push(register: Register): void
  pop(register: Register): void
  jump(label: string): void
  jumpIf(condition: keyof typeof CONDITIONS, label: string): void
  call(target: string | Memory): void
  return(): void
  /** `out dx, al` */
  outByte(): void
  /** `in al, dx` */
  inByte(): void
}

/** An assembler with nothing written yet. */
export function createAssembler(): Assembler {
  const program = createProgram()
  const { bytes, offsetOf } = program
  const number32 = (value: number): void => bytes(value, value >> 8, value >> 16, value >> 24)

  /** Four bytes that {@link Assembler.finish} fills in. */
  const distance = (label: string, from?: string): void => {
    program.later((view, at) =>
      view.setInt32(at, offsetOf(label) - (from === undefined ? at + 4 : offsetOf(from)), true),
    )
    number32(0)
  }

  /**
   * An instruction with a ModRM byte (SDM, volume 2, 2.1.3): prefix, REX, opcode, then the operand that
   * may be memory.
   */
  function instruction(
    width: Width,
    opcode: readonly number[],
    register: number,
    operand: Register | Memory,
  ): void {
    const base = typeof operand === 'number' ? operand : 'base' in operand ? operand.base : 0
    const rex = (width === 64 ? 8 : 0) | ((register >> 3) << 2) | (base >> 3)
    if (width === 16) bytes(0x66)
    // Without REX, the byte registers 4 to 7 would be ah to bh.
    if (rex !== 0 || width === 8) bytes(0x40 | rex)
    bytes(...opcode)
    const field = (register & 7) << 3
    if (typeof operand === 'number') bytes(0xc0 | field | (operand & 7))
    else if ('label' in operand) {
      bytes(0x05 | field)
      distance(operand.label)
    } else {
      bytes(0x80 | field | (base & 7))
      if ((base & 7) === rsp) bytes(0x24) // rsp and r12 as a base ask for a SIB byte
      number32(operand.offset)
    }
  }

  return {
    ...program,
    get position() {
      return program.position
    },
    distance,

    move: (to, from) => instruction(64, [0x89], from, to),
    set(to, value) {
      if (value > 0xffff_ffff) {
        bytes(0x48 | (to >> 3), 0xb8 | (to & 7))
        for (let bit = 0n; bit < 64n; bit += 8n) bytes(Number((BigInt(value) >> bit) & 0xffn))
        return
      }
      if (to > 7) bytes(0x41)
      bytes(0xb8 | (to & 7)) // 32 bits: the upper half becomes zero
      number32(Number(value))
    },
    load(to, from, width = 64) {
      if (width >= 32) instruction(width, [0x8b], to, from)
      else instruction(32, [0x0f, width === 8 ? 0xb6 : 0xb7], to, from)
    },
    store: (to, from, width = 64) => instruction(width, [width === 8 ? 0x88 : 0x89], from, to),
    address: (to, of) => instruction(64, [0x8d], to, of),
    calculate(operation, to, by) {
      const digit = OPERATIONS[operation]
      if (typeof by === 'number') return instruction(64, [(digit << 3) | 1], by, to)
      instruction(64, [0x81], digit, to)
      number32(by.constant)
    },
    multiply(to, constant) {
      instruction(32, [0x69], to, to)
      number32(constant)
    },
    shiftLeft(to, bits) {
      instruction(64, [0xc1], 4, to)
      bytes(bits)
    },
    shiftRight(to, bits) {
      instruction(64, [0xc1], 5, to)
      bytes(bits)
    },
    push: (register) => bytes(...(register > 7 ? [0x41] : []), 0x50 | (register & 7)),
    pop: (register) => bytes(...(register > 7 ? [0x41] : []), 0x58 | (register & 7)),
    jump(label) {
      bytes(0xe9)
      distance(label)
    },
    jumpIf(condition, label) {
      bytes(0x0f, 0x80 | CONDITIONS[condition])
      distance(label)
    },
    call(target) {
      if (typeof target !== 'string') return instruction(32, [0xff], 2, target)
      bytes(0xe8)
      distance(target)
    },
    return: () => bytes(0xc3),
    outByte: () => bytes(0xee),
    inByte: () => bytes(0xec),
  }
}
