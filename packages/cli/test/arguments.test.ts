import { describe, expect, it } from 'vitest'
import { translateArguments } from '../src/arguments.ts'

describe('translateArguments', () => {
  it.each<[args: string, translated: string]>([
    ['', ''],
    ['--help', '--help'],
    ['--version', '--version'],
    ['build --help', 'build --help'],
    ['version', 'version'],
    ['inspect disk.raw', 'inspect disk.raw'],
    ['IMAGE', 'build IMAGE'],
    ['--type raw IMAGE', 'build --type raw IMAGE'],
    ['--output plan IMAGE', 'build --output plan IMAGE'],
    ['--config - IMAGE', 'build --config - IMAGE'],
    // As the documentation of bootc-image-builder has it.
    ['--type qcow2 --use-librepo=True IMAGE', 'build --type qcow2 --use-librepo IMAGE'],
    ['build --local=false --in-vm=0 IMAGE', 'build IMAGE'],
    ['build --tls-verify IMAGE', 'build IMAGE'],
    ['build --tls-verify=false IMAGE', 'build --no-tls-verify IMAGE'],
    ['build --no-default-kernel-args=true IMAGE', 'build --no-default-kernel-args IMAGE'],
    ['build --local=maybe IMAGE', 'build --local=maybe IMAGE'],
    ['build -- --local=true', 'build -- --local=true'],
  ])('%s', (args, translated) => {
    const words = (text: string): string[] => text.split(' ').filter(Boolean)
    expect(translateArguments(words(args))).toEqual(words(translated))
  })
})
