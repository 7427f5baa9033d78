import type { ByteSource, OperationOptions, Runtime, RuntimeOptions } from '@bootable/bytes'
import { bytes, memorySource, portableRuntime, streamSource, struct, u8, u32, u64 } from '@bootable/bytes'

/** Bytes of a block of data, and of a block of hashes. */
const BLOCK_SIZE = 4096
const LOG_BLOCK_SIZE = 12
const HASH_SIZE = 32
/** `FS_VERITY_HASH_ALG_SHA256` */
const HASH_ALG_SHA256 = 1

/** What an fs-verity digest is the hash of (`include/uapi/linux/fsverity.h`). */
const VerityDescriptor = struct('fsverity_descriptor', 256, {
  version: u8(0x00), // version
  hashAlgorithm: u8(0x01), // hash_algorithm
  logBlocksize: u8(0x02), // log_blocksize
  saltSize: u8(0x03), // salt_size
  sigSize: u32(0x04), // sig_size
  dataSize: u64(0x08), // data_size

  rootHash: bytes(0x10, 64), // root_hash
})

/**
 * The digest that Linux has for a file under fs-verity, with SHA-256, blocks of 4096 bytes and no salt: the
 * hash of a descriptor that holds the size and the root of a Merkle tree.
 *
 * @returns 32 bytes
 * @throws whatever the source throws
 */
export async function fsVerityDigest(
  content: ByteSource | Uint8Array,
  options: OperationOptions & RuntimeOptions = {},
): Promise<Uint8Array> {
  const { runtime = portableRuntime, signal } = options
  const source = content instanceof Uint8Array ? memorySource(content) : content
  const levels = createLevels(runtime)
  for await (const chunk of streamSource(source, signal ? { signal } : {})) {
    for (let at = 0; at < chunk.length; at += BLOCK_SIZE) {
      levels.addBlock(chunk.subarray(at, at + BLOCK_SIZE))
    }
  }
  const descriptor = VerityDescriptor.encode({
    version: 1,
    hashAlgorithm: HASH_ALG_SHA256,
    logBlocksize: LOG_BLOCK_SIZE,
    dataSize: source.size,
    rootHash: levels.root(),
  })
  return runtime.createHash('sha256').update(descriptor).digest()
}

/** A Merkle tree of which each level keeps one unfinished block: memory goes with the logarithm of the file. */
function createLevels(runtime: Runtime): { addBlock(block: Uint8Array): void; root(): Uint8Array } {
  const levels: { readonly block: Uint8Array; filled: number; hashes: number }[] = []

  /** Hash of a block that is filled up with zeros. */
  function hashBlock(block: Uint8Array): Uint8Array {
    const hash = runtime.createHash('sha256').update(block)
    if (block.length < BLOCK_SIZE) hash.update(new Uint8Array(BLOCK_SIZE - block.length))
    return hash.digest()
  }
  function addHash(depth: number, hash: Uint8Array): void {
    const level = levels[depth] ?? { block: new Uint8Array(BLOCK_SIZE), filled: 0, hashes: 0 }
    levels[depth] = level
    if (level.filled === BLOCK_SIZE) closeBlock(depth)
    level.block.set(hash, level.filled)
    level.filled += HASH_SIZE
    level.hashes++
  }
  function closeBlock(depth: number): void {
    const level = levels[depth] as (typeof levels)[number]
    const hash = hashBlock(level.block.subarray(0, level.filled))
    level.filled = 0
    addHash(depth + 1, hash)
  }
  return {
    addBlock: (block) => addHash(0, hashBlock(block)),
    root() {
      // The root of an empty file is all zero.
      if (levels.length === 0) return new Uint8Array(HASH_SIZE)
      for (let depth = 0; ; depth++) {
        const level = levels[depth] as (typeof levels)[number]
        // A level of one hash has nothing above it.
        if (level.hashes === 1) return level.block.slice(0, HASH_SIZE)
        closeBlock(depth)
      }
    },
  }
}
