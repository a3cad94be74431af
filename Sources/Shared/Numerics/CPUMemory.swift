import Base
import Glibc

/// Memory of the CPU backend. Blocks that tensors gave back are kept for the next tensors of their
/// size: fresh pages cost more than most kernels that write them.
final class CPUMemory: Sendable {
    private struct State {
        /// Blocks given back, newest last, by their size.
        var kept: [Int: [UInt]] = [:]
        var keptBytes = 0
        var liveBytes = 0
        var liveBytesMax = 0
    }

    private static let hugePage = 2 << 20
    private static let line = 64
    /// Kept whatever is live.
    private static let keptBytesMin = 64 << 20

    private let state = Lock(State())

    deinit { state.with { CPUMemory.freeAll(&$0) } }

    var use: (live: Int, liveMax: Int, kept: Int) {
        state.with { ($0.liveBytes, $0.liveBytesMax, $0.keptBytes) }
    }

    func resetMax() { state.with { $0.liveBytesMax = $0.liveBytes } }

    /// - Returns: the address of a block of at least this many bytes
    func take(_ byteCount: Int) -> UInt {
        let size = CPUMemory.blockSize(byteCount)
        let kept = state.with { state -> UInt? in
            state.liveBytes += size
            state.liveBytesMax = max(state.liveBytesMax, state.liveBytes)
            guard let block = state.kept[size]?.popLast() else { return nil }
            state.keptBytes -= size
            return block
        }
        return kept ?? CPUMemory.allocate(size)
    }

    func giveBack(_ block: UInt, _ byteCount: Int) {
        let size = CPUMemory.blockSize(byteCount)
        state.with { state in
            state.liveBytes -= size
            state.keptBytes += size
            state.kept[size, default: []].append(block)
            if state.keptBytes > max(CPUMemory.keptBytesMin, state.liveBytes / 4) {
                CPUMemory.freeAll(&state)
            }
        }
    }

    /// Sizes go up by eighths, so that tensors of nearly equal sizes share blocks.
    private static func blockSize(_ byteCount: Int) -> Int {
        let count = max(byteCount, line)
        let step = max(line, 1 << max(Int.bitWidth - (count - 1).leadingZeroBitCount - 4, 0))
        return (count + step - 1) / step * step
    }

    private static func allocate(_ size: Int) -> UInt {
        var pointer: UnsafeMutableRawPointer?
        let alignment = size >= hugePage ? hugePage : line
        guard posix_memalign(&pointer, alignment, size) == 0, let pointer else {
            preconditionFailure("out of memory: \(size) bytes")
        }
        if size >= hugePage { madvise(pointer, size, MADV_HUGEPAGE) }
        return UInt(bitPattern: pointer)
    }

    private static func freeAll(_ state: inout State) {
        for block in state.kept.values.joined() { free(UnsafeMutableRawPointer(bitPattern: block)) }
        state.kept = [:]
        state.keptBytes = 0
    }
}
