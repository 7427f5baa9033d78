import {
  type Assembler,
  at,
  createAssembler,
  here,
  r12,
  r13,
  r15,
  rax,
  rbx,
  rcx,
  rdi,
  rdx,
  rsi,
  rsp,
} from './assembler.ts'
import {
  callMember,
  callOrFail,
  EFI,
  EFI_ALLOCATE_ANY_PAGES,
  EFI_LOADER_DATA,
  enterFrame,
  pointer,
  writeEfiData,
} from './efi.ts'
import { BOOT_PARAMS, SetupHeader } from './linux-header.ts'
import { EFI_HEADERS_SIZE, writeEfiHeaders } from './portable-executable.ts'
import { writeSerialRoutines } from './serial.ts'

/** The boot sector and one sector of setup code; what follows is the protected-mode code. */
const CODE_OFFSET = 0x400
/** End of the setup header; the 16-bit code begins here. */
const SETUP_CODE = SetupHeader.size
/** The 64-bit entry lies here in the protected-mode code (boot protocol, "64-bit BOOT PROTOCOL"). */
const ENTRY_64 = CODE_OFFSET + 0x200

/** Memory that a loader keeps free from where it puts the kernel: code, page tables, stack. */
const INIT_SIZE = 0x20000
const PAGE_TABLES = 0x10000
const STACK_TOP = 0x1f000

/** FNV-1a of 32 bits. */
export const FNV_OFFSET_BASIS = 0x811c_9dc5
export const FNV_PRIME = 0x0100_0193

/** What the kernel prints about a file that it was given as its initrd: FNV-1a of 32 bits. */
export function fnv1a(data: Uint8Array): number {
  let hash = FNV_OFFSET_BASIS
  for (const byte of data) hash = Math.imul(hash ^ byte, FNV_PRIME) >>> 0
  return hash
}

/**
 * A kernel for tests: a Linux bzImage and an EFI application in one file of a few kilobytes.
 *
 * Whichever way a boot loader takes into it, it prints one line on the first serial port and leaves the
 * machine:
 *
 * `TINYK path=<way> cmdline=[<command line>] initrd=<size, hex> fnv=<FNV-1a of the initrd, hex> END`
 *
 * `path` is `linux32` (16- or 32-bit entry), `linux64`, `handover64` or `efistub`. QEMU with
 * `-device isa-debug-exit,iobase=0xf4,iosize=4` ends with status 33; without it the machine is switched
 * off. The line tells whether every byte of the initrd came through partition table, filesystem and boot
 * loader. Addresses above 4 GiB are not offered to loaders, and not used.
 */
export function buildTinyKernel(): Uint8Array {
  const code = createAssembler()
  code.padTo(SETUP_CODE) // the headers are written last
  writeSetupCode(code)

  code.padTo(CODE_OFFSET)
  code.label('start')
  write32BitEntry(code)
  code.padTo(ENTRY_64)
  writeLinuxEntries(code)
  writeEfiEntry(code)
  writeReport(code)
  writeSerialRoutines(code)
  writeEfiData(code, ['loadedImageProtocol', 'loadFile2Protocol'])
  code.align(0x200)

  const file = code.finish()
  writeEfiHeaders(file, CODE_OFFSET, code.offsetOf('efiEntry'))
  writeSetupHeader(file, code.offsetOf('handoverEntry'))
  return file
}

function writeSetupHeader(file: Uint8Array, handoverEntry: number): void {
  if (EFI_HEADERS_SIZE > 0x1f1) throw new Error('the headers overlap')
  SetupHeader.write(file, 0, {
    setupSects: CODE_OFFSET / 512 - 1,
    rootFlags: 1, // mount read-only
    sysSize: (file.length - CODE_OFFSET) / 16,
    bootFlag: 0xaa55,
    jump: 0xeb | ((SETUP_CODE - 0x202) << 8),
    header: 0x5372_6448, // "HdrS"
    version: 0x020f,
    kernelVersion: VERSION - 0x200,
    loadFlags: 1, // LOADED_HIGH: protected-mode code goes to 0x100000
    code32Start: 0x10_0000,
    initrdAddressMax: 0x7fff_ffff,
    kernelAlignment: 0x20_0000,
    relocatableKernel: 1,
    minAlignment: 12, // pages
    xloadFlags: 0x0009, // XLF_KERNEL_64: there is a 64-bit entry; XLF_EFI_HANDOVER_64
    cmdlineSize: 2047,
    prefAddress: 0x100_0000,
    initSize: INIT_SIZE,
    // From the start of the protected-mode code; 64-bit loaders add 0x200 ("EFI HANDOVER PROTOCOL").
    handoverOffset: handoverEntry - ENTRY_64,
  })
}

/** Descriptors of flat segments over 4 GiB (Intel SDM, volume 3, 3.4.5). */
const CODE_32 = [0xff, 0xff, 0x00, 0x00, 0x00, 0x9b, 0xcf, 0x00]
const CODE_64 = [0xff, 0xff, 0x00, 0x00, 0x00, 0x9b, 0xaf, 0x00]
const DATA = [0xff, 0xff, 0x00, 0x00, 0x00, 0x93, 0xcf, 0x00]
const NULL = [0, 0, 0, 0, 0, 0, 0, 0]
/** Selectors as the boot protocol fixes them: `__BOOT_CS` and `__BOOT_DS`. */
const [BOOT_CS, BOOT_DS] = [0x10, 0x18]
/** Limit of a table of these four descriptors. */
const GDT_LIMIT = 4 * 8 - 1

/** Where the 16-bit code has its data: offsets in the first segment. */
const [GDT_32, GDT_32_POINTER, VERSION] = [0x2c0, 0x2e0, 0x2e8]

/** From real to protected mode. `ds` is the segment that the first sector was loaded to. */
function writeSetupCode(code: Assembler): void {
  code.bytes(0xfa) //                                     cli
  code.bytes(0x66, 0x31, 0xc0) //                         xor eax, eax
  code.bytes(0x8c, 0xd8) //                               mov ax, ds
  code.bytes(0x66, 0xc1, 0xe0, 0x04) //                   shl eax, 4
  code.bytes(0x66, 0x89, 0xc6) //                         mov esi, eax: the zero page
  code.bytes(0x66, 0x05, ...little(GDT_32, 4)) //         add eax, GDT_32
  code.bytes(0x66, 0xa3, ...little(GDT_32_POINTER + 2)) // mov [GDT_32_POINTER + 2], eax
  code.bytes(0x0f, 0x01, 0x16, ...little(GDT_32_POINTER)) // lgdt [GDT_32_POINTER]
  code.bytes(0x66, 0x8b, 0x1e, ...little(SetupHeader.fields.code32Start.offset)) // mov ebx, [code32Start]
  code.bytes(0x0f, 0x20, 0xc0) //                         mov eax, cr0
  code.bytes(0x0c, 0x01) //                               or al, 1: protection on
  code.bytes(0x0f, 0x22, 0xc0) //                         mov cr0, eax
  code.bytes(0xeb, 0x00) //                               jmp $+2: drops what was decoded before
  code.bytes(0xb9, ...little(BOOT_DS)) //                 mov cx, BOOT_DS
  code.bytes(0x8e, 0xd9, 0x8e, 0xc1, 0x8e, 0xd1) //       mov ds, cx; mov es, cx; mov ss, cx
  code.bytes(0x66, 0xbc, ...little(0x7c00, 4)) //         mov esp, 0x7c00
  code.bytes(0x66, 0x6a, BOOT_CS) //                      push dword BOOT_CS
  code.bytes(0x66, 0x53) //                               push ebx
  code.bytes(0x66, 0xcb) //                               retf, to the 32-bit entry
  code.padTo(GDT_32)
  code.bytes(...NULL, ...NULL, ...CODE_32, ...DATA)
  code.padTo(GDT_32_POINTER)
  code.bytes(...little(GDT_LIMIT), ...little(0, 4)) // the base is filled in above
  code.padTo(VERSION)
  code.text('tiny')
}

/** From protected to long mode, over page tables that map the first 4 GiB. `esi` is the zero page. */
function write32BitEntry(code: Assembler): void {
  /** Offset of a label from the address that `ebx` will hold. */
  const ofLabel = (label: string): void => code.distance(label, 'start')
  code.bytes(0xfa, 0xfc) //                               cli; cld
  code.bytes(0x8d, 0xa6, ...little(0x1e8, 4)) //          lea esp, [esi + 0x1e8]: scratch space of the zero page
  code.bytes(0xe8, ...little(0, 4)) //                    call to the next instruction
  code.label('here32')
  code.bytes(0x5b) //                                     pop ebx
  code.bytes(0x81, 0xeb)
  ofLabel('here32') //            sub ebx, here32: where we were loaded

  code.bytes(0x8d, 0xbb, ...little(PAGE_TABLES + 0xfff, 4)) // lea edi, [ebx + PAGE_TABLES + 0xfff]
  code.bytes(0x81, 0xe7, ...little(0xffff_f000, 4)) //    and edi, ~0xfff
  code.bytes(0x89, 0xfa) //                               mov edx, edi
  code.bytes(0x31, 0xc0) //                               xor eax, eax
  code.bytes(0xb9, ...little(0x2000 / 4, 4)) //           mov ecx, 0x2000 / 4
  code.bytes(0xf3, 0xab) //                               rep stosd: an empty PML4 and PDPT

  code.bytes(0x8d, 0x82, ...little(0x1003, 4)) //         lea eax, [edx + 0x1003]: present, writable
  code.bytes(0x89, 0x02) //                               mov [edx], eax: PML4 to PDPT
  for (let gigabyte = 0; gigabyte < 4; gigabyte++) {
    code.bytes(0x05, ...little(0x1000, 4)) //             add eax, 0x1000
    code.bytes(0x89, 0x82, ...little(0x1000 + gigabyte * 8, 4)) // mov [edx + 0x1000 + n * 8], eax
  }
  code.bytes(0xb8, ...little(0x83, 4)) //                 mov eax, 0x83: present, writable, 2 MiB
  code.bytes(0xb9, ...little(4 * 512, 4)) //              mov ecx, 4 * 512
  code.label('page')
  code.bytes(0x89, 0x07) //                               mov [edi], eax
  code.bytes(0xc7, 0x47, 0x04, ...little(0, 4)) //        mov dword [edi + 4], 0
  code.bytes(0x05, ...little(0x20_0000, 4)) //            add eax, 0x200000
  code.bytes(0x83, 0xc7, 0x08) //                         add edi, 8
  code.bytes(0x49) //                                     dec ecx
  code.jumpIf('notEqual', 'page')

  code.bytes(0x0f, 0x22, 0xda) //                         mov cr3, edx
  code.bytes(0x0f, 0x20, 0xe0) //                         mov eax, cr4
  code.bytes(0x83, 0xc8, 0x20) //                         or eax, 0x20: PAE
  code.bytes(0x0f, 0x22, 0xe0) //                         mov cr4, eax
  code.bytes(0xb9, ...little(0xc000_0080, 4)) //          mov ecx, IA32_EFER
  code.bytes(0x0f, 0x32) //                               rdmsr
  code.bytes(0x0d, ...little(0x100, 4)) //                or eax, 0x100: long mode
  code.bytes(0x0f, 0x30) //                               wrmsr
  code.bytes(0x8d, 0x83)
  ofLabel('gdt64') //             lea eax, [ebx + gdt64]
  code.bytes(0x89, 0x83)
  ofLabel('gdt64.base') //        mov [ebx + gdt64.base], eax
  code.bytes(0x0f, 0x01, 0x93)
  ofLabel('gdt64.pointer') // lgdt [ebx + gdt64.pointer]
  code.bytes(0x8d, 0xa3, ...little(STACK_TOP, 4)) //      lea esp, [ebx + STACK_TOP]
  code.bytes(0x6a, BOOT_CS) //                            push BOOT_CS
  code.bytes(0x8d, 0x83)
  ofLabel('linux32') //           lea eax, [ebx + linux32]
  code.bytes(0x50) //                                     push eax
  code.bytes(0x0f, 0x20, 0xc0) //                         mov eax, cr0
  code.bytes(0x0d, ...little(0x8000_0001, 4)) //          or eax, 0x80000001: paging
  code.bytes(0x0f, 0x22, 0xc0) //                         mov cr0, eax
  code.bytes(0xcb) //                                     retf, to linux32
  code.align(8)
  code.label('gdt64')
  code.bytes(...NULL, ...NULL, ...CODE_64, ...DATA)
  code.label('gdt64.pointer')
  code.bytes(...little(GDT_LIMIT))
  code.label('gdt64.base')
  code.bytes(...little(0, 4))
}

/** The entries that are given a zero page. */
function writeLinuxEntries(code: Assembler): void {
  // At ENTRY_64: rsi is the zero page.
  code.address(rsp, here('start'))
  code.calculate('add', rsp, { constant: STACK_TOP })
  code.address(rbx, here('path.linux64'))
  code.jump('fromZeroPage')

  code.label('linux32')
  code.address(rbx, here('path.linux32'))
  code.bytes(0x89, 0xf6) // mov esi, esi: the upper half is undefined after the change of mode
  code.jump('fromZeroPage')

  // rdi is the image, rsi the system table, rdx the zero page.
  code.label('handoverEntry')
  code.address(rbx, here('path.handover64'))
  code.move(rsi, rdx)

  code.label('fromZeroPage')
  code.load(r12, at(rsi, BOOT_PARAMS.ramdiskImage), 32)
  code.load(r15, at(rsi, BOOT_PARAMS.ramdiskSize), 32)
  code.load(r13, at(rsi, BOOT_PARAMS.cmdLinePointer), 32)
  code.call('putHead')
  code.move(rsi, r13)
  code.calculate('cmp', rsi, { constant: 0 })
  code.jumpIf('equal', 'report')
  code.call('putText')
  code.jump('report')
}

/** The entry of an EFI application: rcx is the image, rdx the system table. */
function writeEfiEntry(code: Assembler): void {
  code.label('efiEntry')
  const frame = enterFrame(code, {
    image: 8,
    services: 8,
    loadedImage: 8,
    path: 8,
    handle: 8,
    loader: 8,
    size: 8,
    pages: 8,
    buffer: 8,
  })
  code.store(frame.image, rcx)
  code.load(rax, at(rdx, EFI.systemTable.bootServices))
  code.store(frame.services, rax)
  const { services, loader, path } = frame
  const { handleProtocol, locateDevicePath, allocatePages } = EFI.bootServices
  const { loadFile } = EFI.loadFile2
  const protocol = pointer('loadFile2Protocol')
  const loadedImage = [pointer('loadedImageProtocol'), pointer(frame.loadedImage)]
  callOrFail(code, 'stop', services, handleProtocol, frame.image, ...loadedImage)

  code.set(r15, 0) // until there is an initrd
  code.address(rax, here('initrdPath'))
  code.store(path, rax)
  callOrFail(code, 'efiReport', services, locateDevicePath, protocol, pointer(path), pointer(frame.handle))
  callOrFail(code, 'efiReport', services, handleProtocol, frame.handle, protocol, pointer(loader))
  code.set(rax, 0)
  code.store(frame.size, rax)
  // The first call tells the size, with the status EFI_BUFFER_TOO_SMALL.
  callMember(code, loader, loadFile, loader, path, 0, pointer(frame.size), 0)
  code.load(rax, frame.size)
  code.calculate('add', rax, { constant: 0xfff })
  code.shiftRight(rax, 12)
  code.store(frame.pages, rax)
  const memory = [EFI_ALLOCATE_ANY_PAGES, EFI_LOADER_DATA, frame.pages, pointer(frame.buffer)]
  callOrFail(code, 'stop', services, allocatePages, ...memory)
  callOrFail(code, 'stop', loader, loadFile, loader, path, 0, pointer(frame.size), frame.buffer)
  code.load(r12, frame.buffer)
  code.load(r15, frame.size)

  code.label('efiReport')
  code.address(rbx, here('path.efistub'))
  code.call('putHead')
  code.load(rax, frame.loadedImage)
  code.load(rsi, at(rax, EFI.loadedImage.loadOptions))
  code.load(rdi, at(rax, EFI.loadedImage.loadOptionsSize), 32) // GRUB counts no zero and sets none
  code.calculate('add', rdi, rsi)
  code.call('putWideText')
}

/**
 * The line on the serial port. `putHead` prints its start, with the text at rbx, after which the caller
 * prints the command line; `report` prints the rest about r15 bytes at r12 and leaves the machine.
 */
function writeReport(code: Assembler): void {
  code.label('report')
  code.address(rsi, here('text.initrd'))
  code.call('putText')
  code.move(rdi, r15)
  code.call('putHex')
  code.address(rsi, here('text.fnv'))
  code.call('putText')

  code.set(rdi, FNV_OFFSET_BASIS)
  code.label('report.hash')
  code.calculate('cmp', r15, { constant: 0 })
  code.jumpIf('equal', 'report.hashed')
  code.load(rax, at(r12), 8)
  code.calculate('xor', rdi, rax)
  code.multiply(rdi, FNV_PRIME)
  code.calculate('add', r12, { constant: 1 })
  code.calculate('sub', r15, { constant: 1 })
  code.jump('report.hash')
  code.label('report.hashed')
  code.call('putHex')
  code.address(rsi, here('text.end'))
  code.call('putText')

  code.label('stop')
  code.set(rdx, 0xf4) // isa-debug-exit: the status is 2 * 0x10 + 1
  code.set(rax, 0x10)
  code.outByte()
  code.set(rdx, 0x604) // PM1a control register of QEMU's machines: soft off
  code.set(rax, 0x2000)
  code.bytes(0x66, 0xef) // out dx, ax
  code.label('halt')
  code.bytes(0xfa, 0xf4) // cli; hlt
  code.jump('halt')

  code.label('putHead')
  code.address(rsi, here('text.start'))
  code.call('putText')
  code.move(rsi, rbx)
  code.call('putText')
  code.address(rsi, here('text.cmdline'))
  code.call('putText')
  code.return()

  for (const path of ['linux32', 'linux64', 'handover64', 'efistub']) {
    code.label(`path.${path}`)
    code.text(path)
  }
  for (const [label, text] of Object.entries(REPORT)) {
    code.label(`text.${label}`)
    code.text(text)
  }
}

/** What stands between the values of the line. */
export const REPORT = {
  start: 'TINYK path=',
  cmdline: ' cmdline=[',
  initrd: '] initrd=',
  fnv: ' fnv=',
  end: ' END\r\n',
}

/** The bytes of a number, lowest first. */
function little(value: number, count = 2): number[] {
  return Array.from({ length: count }, (_, index) => (value >>> (index * 8)) & 0xff)
}
