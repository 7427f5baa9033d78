import { measureErofs, readErofs, writeErofs } from '@bootable/filesystems/erofs'
import { filesystemCompliance } from '../../tooling/compliance/filesystem.ts'
import { LINUX_LIMITS } from '../../tooling/compliance/limits.ts'
import { fsckErofs, oracle } from '../../tooling/oracles.ts'

oracle('fsck.erofs', () => {
  filesystemCompliance({
    name: 'erofs',
    limits: { ...LINUX_LIMITS, boundaries: [2048, 4096] },
    measure: (tree) => measureErofs(tree).minimumSize,
    write: (tree, device, operation) =>
      writeErofs(tree, device, {
        uuid: '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10',
        label: 'compliance',
        ...operation,
      }),
    read: async (source) => (await readErofs(source)).tree(),
    check: fsckErofs,
    noSpace: 'EROFS_NO_SPACE',
  })
})
