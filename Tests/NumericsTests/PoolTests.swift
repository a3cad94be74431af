import CKernels
import Dispatch
import Numerics
import Testing

/// The thread pool under the kernels (CKernels/pool.c).
@Suite struct PoolTests {
    /// Marks each unit it is given, and how often.
    private static let mark: ck_function = { arguments, begin, end in
        guard let arguments, let marks = arguments.pointee.pointers.0 else { return }
        let counts = marks.assumingMemoryBound(to: UInt8.self)
        for unit in begin..<end { counts[Int(unit)] += 1 }
    }

    private func marks(_ pool: OpaquePointer, units: Int, grain: Int64) -> [UInt8] {
        var counts = [UInt8](repeating: 0, count: units)
        counts.withUnsafeMutableBytes { bytes in
            var arguments = ck_args()
            arguments.pointers.0 = bytes.baseAddress
            ck_pool_run(pool, PoolTests.mark, &arguments, Int64(units), grain)
        }
        return counts
    }

    @Test(arguments: [1, 2, 3, 8])
    func everyUnitIsDoneOnce(threads: Int32) throws {
        let pool = try #require(ck_pool_create(threads))
        defer { ck_pool_destroy(pool) }
        for units in [0, 1, 2, 7, 100, 1000, 12_345] {
            for grain in [Int64(1), 3, 100_000] {
                #expect(marks(pool, units: units, grain: grain).allSatisfy { $0 == 1 })
            }
        }
    }

    @Test func manyShortLaunchesLoseNothing() throws {
        let pool = try #require(ck_pool_create(4))
        defer { ck_pool_destroy(pool) }
        for round in 0..<20_000 {
            let counts = marks(pool, units: 1 + round % 40, grain: 1)
            guard counts.allSatisfy({ $0 == 1 }) else {
                Issue.record("round \(round): \(counts)")
                return
            }
        }
    }

    @Test func launchesFromSeveralThreadsDoNotMix() throws {
        // The pool itself is what orders the launches of several threads.
        nonisolated(unsafe) let pool = try #require(ck_pool_create(3))
        defer { ck_pool_destroy(pool) }
        DispatchQueue.concurrentPerform(iterations: 4) { caller in
            for round in 0..<2_000 {
                let counts = self.marks(pool, units: 16 + caller + round % 9, grain: 1)
                if !counts.allSatisfy({ $0 == 1 }) { Issue.record("caller \(caller)") }
            }
        }
    }
}
