import Base
import Glibc

/// Memory of the CPU backend. Blocks that tensors gave back are kept for the next tensors of their
/// size: fresh pages cost more than most kernels that write them. What is kept and what is live
/// stay together below the most that was live of late, so that steps that repeat take no fresh
/// pages, and never more of them than one step needs.
final class CPUMemory: Sendable {
    private struct State {
        /// Blocks given back, newest last, by their size.
        var kept: [Int: [(block: UInt, time: Int)]] = [:]
        /// Blocks given back so far.
        var time = 0
        var keptBytes = 0
        var liveBytes = 0
        var liveBytesMax = 0
        /// The most that was live, forgotten slowly.
        var recentBytesMax = 0.0
    }

    /// Blocks taken until half of a peak is forgotten: some dozens of training steps.
    private static let memory = 1 << 16
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
        let (block, dropped) = state.with { state -> (UInt?, [(UInt, Int)]) in
            state.liveBytes += size
            state.liveBytesMax = max(state.liveBytesMax, state.liveBytes)
            let live = Double(state.liveBytes)
            state.recentBytesMax = max(
                live,
                state.recentBytesMax - (state.recentBytesMax - live) / Double(CPUMemory.memory))
            if let kept = state.kept[size]?.popLast() {
                state.keptBytes -= size
                return (kept.block, CPUMemory.trim(&state))
            }
            return (nil, CPUMemory.trim(&state))
        }
        for (block, size) in dropped { CPUMemory.free(block, size) }
        return block ?? CPUMemory.allocate(size)
    }

    func giveBack(_ block: UInt, _ byteCount: Int) {
        let size = CPUMemory.blockSize(byteCount)
        let dropped = state.with { state in
            state.liveBytes -= size
            state.keptBytes += size
            state.time += 1
            state.kept[size, default: []].append((block, state.time))
            return CPUMemory.trim(&state)
        }
        for (block, size) in dropped { CPUMemory.free(block, size) }
    }

    /// Takes blocks out that are more than may be kept, those first that lay unused the longest:
    /// what the present layers take and give back by turns stays, of whatever size.
    private static func trim(_ state: inout State) -> [(UInt, Int)] {
        let keptMax = max(keptBytesMin, Int(state.recentBytesMax) - state.liveBytes)
        var dropped: [(UInt, Int)] = []
        while state.keptBytes > keptMax, let size = longestUnused(state) {
            guard let kept = state.kept[size]?.removeFirst() else { break }
            if state.kept[size]?.isEmpty == true { state.kept[size] = nil }
            state.keptBytes -= size
            dropped.append((kept.block, size))
        }
        return dropped
    }

    private static func longestUnused(_ state: State) -> Int? {
        state.kept.min { ($0.value.first?.time ?? .max) < ($1.value.first?.time ?? .max) }?.key
    }

    /// Sizes go up by eighths, so that tensors of nearly equal sizes share blocks.
    private static func blockSize(_ byteCount: Int) -> Int {
        let count = max(byteCount, line)
        let step = max(line, 1 << max(Int.bitWidth - (count - 1).leadingZeroBitCount - 4, 0))
        return (count + step - 1) / step * step
    }

    /// Large blocks are mapped one by one: what is freed is free, whatever lies beside it.
    private static func allocate(_ size: Int) -> UInt {
        guard size < hugePage else { return map(size) }
        var pointer: UnsafeMutableRawPointer?
        guard posix_memalign(&pointer, line, size) == 0, let pointer else {
            preconditionFailure("out of memory: \(size) bytes")
        }
        return UInt(bitPattern: pointer)
    }

    private static func free(_ block: UInt, _ size: Int) {
        let pointer = UnsafeMutableRawPointer(bitPattern: block)
        if size < hugePage { Glibc.free(pointer) } else { munmap(pointer, size) }
    }

    /// Pages on a boundary of huge ones; what is over on both sides is given back.
    private static func map(_ size: Int) -> UInt {
        let start = mmap(
            nil, size + hugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let start, start != MAP_FAILED else {
            preconditionFailure("out of memory: \(size) bytes")
        }
        let address = UInt(bitPattern: start)
        let aligned = (address + UInt(hugePage) - 1) / UInt(hugePage) * UInt(hugePage)
        let head = Int(aligned - address)
        if head > 0 { munmap(start, head) }
        if hugePage > head { munmap(start + head + size, hugePage - head) }
        madvise(start + head, size, MADV_HUGEPAGE)
        return aligned
    }

    private static func freeAll(_ state: inout State) {
        for (size, blocks) in state.kept {
            for (block, _) in blocks { free(block, size) }
        }
        state.kept = [:]
        state.keptBytes = 0
    }
}
