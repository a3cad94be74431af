import Glibc

/// A moment on the clock that never steps back; only differences mean something.
package struct MonotonicTime: Sendable, Hashable, Comparable {
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// The clock's reading.
    package static func now() -> MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(
            nanoseconds: UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
    }

    package static func < (a: MonotonicTime, b: MonotonicTime) -> Bool {
        a.nanoseconds < b.nanoseconds
    }

    /// This moment plus a time span; spans beyond 292 years count as that.
    package func advanced(bySeconds seconds: Double) -> MonotonicTime {
        let span = min(max(seconds, 0) * 1e9, 9.2e18)
        return MonotonicTime(nanoseconds: nanoseconds &+ UInt64(span))
    }

    /// Seconds from `earlier` to this moment; negative if it is later.
    package func seconds(since earlier: MonotonicTime) -> Double {
        Double(Int64(bitPattern: nanoseconds &- earlier.nanoseconds)) / 1e9
    }
}
