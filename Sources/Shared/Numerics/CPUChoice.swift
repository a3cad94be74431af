import Foundation

extension CPUBackend {
    /// More threads than any machine that this is for has cores.
    static let threadsMax = 1024

    /// The tier that `FOVEA_KERNEL_TIER` names, else the best of this processor.
    static func chosenTier() throws(CPUBackendError) -> Tier {
        guard let name = ProcessInfo.processInfo.environment["FOVEA_KERNEL_TIER"], !name.isEmpty
        else { return Tier.available.last ?? .scalar }
        guard let tier = Tier(rawValue: name) else { throw .tierUnknown(name) }
        return tier
    }

    /// The number that `FOVEA_THREADS` gives, else the processors that this process may use.
    static func chosenThreads() throws(CPUBackendError) -> Int {
        guard let text = ProcessInfo.processInfo.environment["FOVEA_THREADS"], !text.isEmpty
        else { return min(ProcessInfo.processInfo.activeProcessorCount, threadsMax) }
        guard let threads = Int(text), (1...threadsMax).contains(threads) else {
            throw .threadsInvalid(text)
        }
        return threads
    }
}
