import Foundation

extension CPUBackend {
    /// More threads than any machine that this is for has cores.
    static let threadsMax = 1024

    /// What the environment asks for.
    ///
    /// - `FOVEA_KERNEL_TIER`: a tier by its name; unset for the best of this processor
    /// - `FOVEA_THREADS`: how many threads work on one kernel; unset for one a processor
    package static func choice(
        in environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(CPUBackendError) -> (tier: Tier, threads: Int) {
        (
            try chosenTier(environment["FOVEA_KERNEL_TIER"] ?? ""),
            try chosenThreads(environment["FOVEA_THREADS"] ?? "")
        )
    }

    private static func chosenTier(_ name: String) throws(CPUBackendError) -> Tier {
        guard !name.isEmpty else { return Tier.available.last ?? .scalar }
        guard let tier = Tier(rawValue: name) else { throw .tierUnknown(name) }
        return tier
    }

    private static func chosenThreads(_ text: String) throws(CPUBackendError) -> Int {
        guard !text.isEmpty else {
            return min(ProcessInfo.processInfo.activeProcessorCount, threadsMax)
        }
        guard let threads = Int(text), (1...threadsMax).contains(threads) else {
            throw .threadsInvalid(text)
        }
        return threads
    }
}
