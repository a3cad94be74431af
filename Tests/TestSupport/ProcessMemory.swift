import Foundation

/// What this process takes.
package enum ProcessMemory {
    /// Resident bytes, from `/proc/self/statm`; 0 where there is none.
    package static func residentBytes() -> Int {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8),
            let pages = text.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return 0 }
        return pages * sysconf(Int32(_SC_PAGESIZE))
    }
}
