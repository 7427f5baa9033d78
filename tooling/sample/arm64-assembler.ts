import { createProgram, type Program } from './program.ts'

/** A general register of AArch64 by its number; 31 is the stack pointer or zero, as the instruction has it. */
export type Register = number

export const [x0, x1, x2, x3, x4] = [0, 1, 2, 3, 4] as const
export const [x9, x10] = [9, 10] as const
/** Those that a called function hands back as it got them (Procedure Call Standard, 6.1.1). */
export const [x19, x20, x21, x22, x23, x24] = [19, 20, 21, 22, 23, 24] as const
/** Where a call leaves its return address. */
export const x30 = 30
export const sp = 31

/** Bits of an operand. Loads of fewer than 64 fill the register with zeros. */
export type Width = 8 | 16 | 32 | 64

/** Condition codes (Arm ARM, C1.2.4). */
const CONDITIONS = { equal: 0x0, notEqual: 0x1, aboveOrEqual: 0x2, below: 0x3, belowOrEqual: 0x9 } as const

/** `LDR` and `STR`, unsigned offset, by width. */
const LOADS: Readonly<Record<Width, number>> = {
  8: 0x3940_0000,
  16: 0x7940_0000,
  32: 0xb940_0000,
  64: 0xf940_0000,
}
/** What a store has in place of a load. */
const LOAD_BIT = 0x0040_0000

/** Writes machine code of AArch64, just the instructions that the sample's kernel needs. */
export interface Arm64Assembler extends Program {
  /** A raw instruction. */
  word(value: number): void
  /** `mov register, register`; neither is the stack pointer. */
  move(to: Register, from: Register): void
  /** `movz` and `movk`: a constant of up to 64 bits, not negative. */
  set(to: Register, value: number | bigint): void
  /** The offset is a multiple of the width. */
  load(to: Register, base: Register, offset: number, width?: Width): void
  store(from: Register, base: Register, offset: number, width?: Width): void
  /** `adr`: the address of a label. */
  address(to: Register, label: string): void
  /** `add`, `sub` with a constant below 4096. */
  add(to: Register, from: Register, constant: number): void
  subtract(to: Register, from: Register, constant: number): void
  addRegister(to: Register, from: Register, by: Register): void
  compare(register: Register, constant: number): void
  compareRegisters(register: Register, by: Register): void
  /** 32 bits. */
  exclusiveOr(to: Register, from: Register, by: Register): void
  /** 32 bits. */
  multiply(to: Register, from: Register, by: Register): void
  shiftRight(to: Register, from: Register, bits: number): void
  /** 32 bits. */
  shiftLeft(to: Register, from: Register, bits: number): void
  jump(label: string): void
  jumpIf(condition: keyof typeof CONDITIONS, label: string): void
  jumpIfZero(register: Register, label: string): void
  /** `tbnz`, for bits 0 to 31. */
  jumpIfBit(register: Register, bit: number, label: string): void
  call(label: string): void
  callRegister(register: Register): void
  return(): void
}

/** An assembler with nothing written yet. */
export function createArm64Assembler(): Arm64Assembler {
  const program = createProgram()
  const word = (value: number): void => program.bytes(value, value >> 8, value >> 16, value >> 24)

  /** An instruction that holds the distance of a label in words, `bits` wide from bit `low` on. */
  const towards = (label: string, value: number, bits: number, low: number): void => {
    program.later((view, at) => {
      const words = (program.offsetOf(label) - at) / 4
      view.setUint32(at, (value | ((words & (2 ** bits - 1)) << low)) >>> 0, true)
    })
    word(value)
  }
  const withConstant = (value: number, to: Register, from: Register, constant: number): void => {
    if (constant < 0 || constant > 0xfff) throw new Error(`${constant} is no constant of 12 bits`)
    word(value | (constant << 10) | (from << 5) | to)
  }
  const withRegisters = (value: number, to: Register, from: Register, by: Register): void =>
    word(value | (by << 16) | (from << 5) | to)
  const access = (value: number, register: Register, base: Register, offset: number, width: Width): void => {
    const scaled = offset / (width / 8)
    if (!Number.isInteger(scaled)) throw new Error(`an offset of ${offset} for ${width} bits`)
    withConstant(value, register, base, scaled)
  }

  return {
    ...program,
    get position() {
      return program.position
    },
    word,
    move: (to, from) => withRegisters(0xaa00_0000, to, 31, from),
    set(to, value) {
      const parts = [0n, 16n, 32n, 48n].map((low) => Number((BigInt(value) >> low) & 0xffffn))
      const [movz, movk] = [0xd280_0000, 0xf280_0000]
      word(movz | ((parts[0] as number) << 5) | to)
      for (const [index, part] of parts.entries()) {
        if (index > 0 && part !== 0) word(movk | (index << 21) | (part << 5) | to)
      }
    },
    load: (to, base, offset, width = 64) => access(LOADS[width], to, base, offset, width),
    store: (from, base, offset, width = 64) => access(LOADS[width] & ~LOAD_BIT, from, base, offset, width),
    address(to, label) {
      program.later((view, at) => {
        const distance = program.offsetOf(label) - at
        const parts = ((distance & 3) << 29) | (((distance >> 2) & 0x7_ffff) << 5)
        view.setUint32(at, (0x1000_0000 | parts | to) >>> 0, true)
      })
      word(0)
    },
    add: (to, from, constant) => withConstant(0x9100_0000, to, from, constant),
    subtract: (to, from, constant) => withConstant(0xd100_0000, to, from, constant),
    addRegister: (to, from, by) => withRegisters(0x8b00_0000, to, from, by),
    compare: (register, constant) => withConstant(0xf100_0000, 31, register, constant),
    compareRegisters: (register, by) => withRegisters(0xeb00_0000, 31, register, by),
    exclusiveOr: (to, from, by) => withRegisters(0x4a00_0000, to, from, by),
    multiply: (to, from, by) => withRegisters(0x1b00_7c00, to, from, by),
    shiftRight: (to, from, bits) => word(0xd340_fc00 | (bits << 16) | (from << 5) | to),
    shiftLeft: (to, from, bits) =>
      word(0x5300_0000 | ((32 - bits) << 16) | ((31 - bits) << 10) | (from << 5) | to),
    jump: (label) => towards(label, 0x1400_0000, 26, 0),
    jumpIf: (condition, label) => towards(label, 0x5400_0000 | CONDITIONS[condition], 19, 5),
    jumpIfZero: (register, label) => towards(label, 0xb400_0000 | register, 19, 5),
    jumpIfBit: (register, bit, label) => towards(label, 0x3700_0000 | (bit << 19) | register, 14, 5),
    call: (label) => towards(label, 0x9400_0000, 26, 0),
    callRegister: (register) => word(0xd63f_0000 | (register << 5)),
    return: () => word(0xd65f_03c0),
  }
}
