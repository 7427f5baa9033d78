import { type BootMenuItem, formatMenuEntry } from './config.ts'
import { formatConsoleChoice, type GrubConsole } from './console.ts'
import { quoteGrubWord } from './quote.ts'

/** What {@link formatGrubEntriesConfig} needs to know; all of it stays true when the system is updated. */
export interface GrubEntriesMenu {
  /** UUID of the filesystem that holds `/boot`. */
  readonly uuid: string
  /** What `/boot` is called on that filesystem: empty, `/boot`, or a path through a subvolume. */
  readonly boot: string
  /** Seconds before the first entry starts by itself. */
  readonly timeout: number
  /** Name of the operating system, for the menu. */
  readonly name: string
  /** What is offered where no entry is found: the system as it was installed. */
  readonly fallback: BootMenuItem
  /** Terminals that were asked for; they are named in a file of their own. */
  readonly console?: GrubConsole
}

/** ostree numbers its entries from 1; nobody has met a system with more deployments. */
const MOST_ENTRIES = 32

/**
 * A `grub.cfg` that shows the entries which ostree has written by the time the machine starts, the highest
 * number, which is the newest deployment, first. Nobody has to write it anew after an update.
 *
 * GRUB 2.14 reads the entries itself where its module lies beside the configuration (BIOS). Any other takes
 * an entry for a script: the keys are functions, and `options`, which ostree writes before the keys that are
 * commands of GRUB, starts the kernel and so never comes to those. The kernel is found by the checksum in
 * `ostree=`, since its path is still to come. Entries are read when they are chosen, hence the menu calls
 * them by their file names.
 *
 * What GRUB's script language has a meaning for (`; & | < > { } $ \ '`, a `#` that begins a word) is misread
 * in kernel arguments, as Red Hat's and upstream's `blscfg` do too. An entry that comes to nothing by it is
 * followed by the next older one. Initramfs overlays, of which the entry alone knows, are not found.
 */
export function formatGrubEntriesConfig(menu: GrubEntriesMenu): string {
  const { uuid, timeout, fallback } = menu
  const boot = menu.boot === '' ? '' : quoteGrubWord(menu.boot)
  const entries = `($boot)${boot}/loader/entries`
  const numbers = Array.from({ length: MOST_ENTRIES }, (_, index) => MOST_ENTRIES - index)
  // The number alone; with the stateroot, as before ostree 2024.5; with the tries that are left.
  const files = ['', '-*', '+*'].map((suffix) => `${entries}/ostree-$number${suffix}.conf`)
  // Its paths begin with /boot, which a subvolume is in front of.
  const mayUseReader = menu.boot === '' || menu.boot === '/boot'
  return `\
# The boot menu of this disk. It shows the entries in loader/entries as they are when the machine starts:
# nobody has to write this file anew.
set default=0
set timeout=${timeout}
${formatConsoleChoice(fallback.options, menu.console)}
insmod regexp
search --no-floppy --fs-uuid --set=boot ${uuid}
set root=$boot
${mayUseReader ? READER : ''}
# GRUB takes an entry for a script. "options" stands before "linux" and "initrd", which are commands of
# GRUB: it starts the kernel and does not return.
function title { set entry_title="$*"; }
function version { set entry_version="$*"; }
function options {
  if regexp --set=1:stateroot --set=2:checksum 'ostree=/ostree/boot\\.[01]/([^/ ]+)/([0-9a-f]+)/' "$*"; then
    set root=$boot
    set files=($boot)${boot}/ostree/$stateroot-$checksum
    for file in $files/vmlinuz-*; do linux $file "$@"; done
    for file in $files/initramfs-*; do if [ -f $file ]; then initrd $file; fi; done
    for file in $files/devicetree-*; do if [ -f $file ]; then devicetree $file; fi; done
    boot
    unset root
  fi
}

for number in ${numbers.join(' ')}; do
  for file in ${files.join(' ')}; do
    if [ -f $file ]; then
      if [ -n "$reader" ]; then
        $reader --path $file
      else
        regexp --set=1:id '([^/]+)\\.conf$' $file
        menuentry ${quoteGrubWord(menu.name)}" ($id)" --id $id $file {
          unset root
          source $2
        }
      fi
      if [ -n "$found" ]; then set fallback=1; fi
      set found=y
    fi
  done
done

if [ -z "$found" ]; then
${formatMenuEntry(uuid, fallback)}fi
`
}

const READER = `
# GRUB 2.14 has a reader of entries. What lies here belongs to the GRUB of BIOS machines; that of UEFI may
# be of another build, and where only signed programs run it loads no module.
if [ "$grub_platform" = pc -a -f $prefix/i386-pc/blsuki.mod ]; then
  insmod blsuki
  set reader=blscfg
fi
`
