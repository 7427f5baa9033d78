export { isSwap, readSwap } from './reader.ts'
export { type SwapArea, type SwapErrorCode, type WriteSwapOptions, writeSwap } from './writer.ts'
