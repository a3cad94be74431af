import Glibc

/// The most memory that this process ever had.
package enum PeakMemory {
    /// Resident bytes at their highest so far; 0 if the system does not say.
    package static func residentBytes() -> Int {
        var usage = rusage()
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
        // Linux counts in KiB.
        return Int(usage.ru_maxrss) * 1024
    }
}
