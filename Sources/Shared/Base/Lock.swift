import Glibc

/// A value behind a mutex, for the few places where threads meet.
///
/// A pthread mutex rather than `Synchronization.Mutex`, because the thread sanitizer sees it.
package final class Lock<Value>: @unchecked Sendable {
    // Every access to `value` happens between lock and unlock.
    private var value: Value
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    package init(_ value: Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs `body` with the value; must not wait or call back into this lock.
    package func with<R, E>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}
