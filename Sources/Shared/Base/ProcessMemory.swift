import Glibc

/// Memory of this process.
package enum ProcessMemory {
    /// The most bytes of memory that this process ever held at once.
    package static var peakBytes: Int {
        var usage = rusage()
        // 0 stands for the process itself (RUSAGE_SELF, an enumeration in C).
        getrusage(__rusage_who_t(0), &usage)
        return usage.ru_maxrss * 1024
    }
}
