package import Base
internal import CKernels

/// Runs kernels on the processor, at once, with the instructions of one tier.
package final class CPUBackend: Backend {
    /// An instruction set with kernels of its own.
    package enum Tier: String, Sendable, CaseIterable {
        case scalar
        case avx2
        case avx512
        case avx512BF16 = "avx512-bf16"
        case neon

        fileprivate var id: ck_tier_id {
            switch self {
            case .scalar: CK_TIER_SCALAR
            case .avx2: CK_TIER_AVX2
            case .avx512: CK_TIER_AVX512
            case .avx512BF16: CK_TIER_AVX512_BF16
            case .neon: CK_TIER_NEON
            }
        }

        /// Whether this processor has it.
        package var isAvailable: Bool { ck_tier_table(id) != nil }
        /// The tiers of this processor, slowest first.
        package static var available: [Tier] { allCases.filter(\.isAvailable) }
    }

    package let tier: Tier
    package let threads: Int
    /// A static table in CKernels: immutable and never freed, so any task may read it.
    nonisolated(unsafe) private let table: UnsafePointer<ck_tier>
    /// A pool that any thread may launch on (pool.c); destroyed with the backend.
    nonisolated(unsafe) private let pool: OpaquePointer
    private let memory = CPUMemory()

    package var name: String { "cpu \(tier.rawValue)" }

    /// - Parameters:
    ///   - tier: nil for the one that the environment names, else the best of this processor
    ///   - threads: how many work on one kernel; nil for `FOVEA_THREADS`, else the processor's
    package init(tier: Tier? = nil, threads: Int? = nil) throws(CPUBackendError) {
        let choice = try CPUBackend.choice()
        let (tier, threads) = (tier ?? choice.tier, threads ?? choice.threads)
        guard let table = ck_tier_table(tier.id) else { throw .tierUnavailable(tier.rawValue) }
        guard let pool = ck_pool_create(Int32(clamping: threads)) else { throw .noThreads(threads) }
        self.tier = tier
        self.threads = threads
        self.table = table
        self.pool = pool
    }

    deinit { ck_pool_destroy(pool) }

    package func allocate(byteCount: Int) -> Buffer {
        Buffer(backend: self, byteCount: byteCount, handle: memory.take(byteCount))
    }

    package func release(handle: UInt, byteCount: Int) {
        memory.giveBack(handle, byteCount)
    }

    package func copyIn(_ bytes: UnsafeRawBufferPointer, to buffer: Buffer, at offset: Int) {
        guard let source = bytes.baseAddress else { return }
        CPUBackend.address(buffer, offset, bytes.count)
            .copyMemory(from: source, byteCount: bytes.count)
    }

    package func copyOut(
        _ buffer: Buffer, at offset: Int, into bytes: UnsafeMutableRawBufferPointer
    ) {
        guard let target = bytes.baseAddress else { return }
        target.copyMemory(
            from: CPUBackend.address(buffer, offset, bytes.count), byteCount: bytes.count)
    }

    package func enqueue(_ launch: Launch) {
        let entry = Int(launch.kernel.id) * MemoryLayout<ck_function?>.stride
        let function = withUnsafeBytes(of: table.pointee.functions) {
            $0.load(fromByteOffset: entry, as: ck_function?.self)
        }
        var arguments = CPUBackend.arguments(launch)
        ck_pool_run(pool, function, &arguments, Int64(launch.units), Int64(launch.grain))
    }

    /// Bytes that buffers hold now, bytes at most so far, and bytes kept for reuse.
    package var memoryUse: (live: Int, liveMax: Int, kept: Int) { memory.use }
    /// Starts counting the most live bytes anew.
    package func resetMemoryMax() { memory.resetMax() }

    private static func arguments(_ launch: Launch) -> ck_args {
        var arguments = ck_args()
        withUnsafeMutableBytes(of: &arguments.pointers) { pointers in
            let pointers = pointers.assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
            for (index, operand) in launch.operands.enumerated() {
                pointers[index] = operand.map { address($0.buffer, $0.offset, $0.byteCount) }
            }
        }
        withUnsafeMutableBytes(of: &arguments.numbers) { numbers in
            let numbers = numbers.assumingMemoryBound(to: Int64.self)
            for (index, number) in launch.numbers.enumerated() { numbers[index] = Int64(number) }
        }
        withUnsafeMutableBytes(of: &arguments.scalars) { scalars in
            let scalars = scalars.assumingMemoryBound(to: Float.self)
            for (index, scalar) in launch.scalars.enumerated() { scalars[index] = scalar }
        }
        return arguments
    }

    /// Where a part of a buffer is. No kernel is given a part that its buffer does not have.
    private static func address(
        _ buffer: Buffer, _ offset: Int, _ byteCount: Int
    ) -> UnsafeMutableRawPointer {
        precondition(
            offset >= 0 && byteCount >= 0 && offset + byteCount <= buffer.byteCount,
            "bytes \(offset)..<\(offset + byteCount) of a buffer of \(buffer.byteCount)")
        guard let base = UnsafeMutableRawPointer(bitPattern: buffer.handle) else {
            preconditionFailure("a buffer of another backend")
        }
        return base + offset
    }
}

/// Why a CPU backend cannot be had.
package enum CPUBackendError: Failure, Hashable {
    case tierUnknown(String)
    case tierUnavailable(String)
    case threadsInvalid(String)
    case noThreads(Int)

    package var kind: FailureKind {
        switch self {
        case .tierUnknown, .threadsInvalid: .invalidInput
        case .tierUnavailable: .precondition
        case .noThreads: .exhausted
        }
    }

    package var message: String {
        let available = CPUBackend.Tier.available.map(\.rawValue).joined(separator: ", ")
        return switch self {
        case .tierUnknown(let name):
            "FOVEA_KERNEL_TIER is '\(name)'; this machine has \(available)"
        case .tierUnavailable(let name):
            "this processor has no kernel tier '\(name)'; it has \(available)"
        case .threadsInvalid(let text):
            "FOVEA_THREADS is '\(text)'; it is a number from 1 to \(CPUBackend.threadsMax)"
        case .noThreads(let threads):
            "no memory to start \(threads) threads"
        }
    }

    package var reason: String {
        switch self {
        case .tierUnknown: "KERNEL_TIER_UNKNOWN"
        case .tierUnavailable: "KERNEL_TIER_UNAVAILABLE"
        case .threadsInvalid: "THREADS_INVALID"
        case .noThreads: "THREADS_EXHAUSTED"
        }
    }
}
