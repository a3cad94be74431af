import Glibc

/// Starts a thread that runs `body` and ends with it. Nobody waits for it.
///
/// - Parameter name: at most 15 bytes, shown by `top -H`
package func startThread(named name: String, _ body: @escaping @Sendable () -> Void) {
    let box = Unmanaged.passRetained(ThreadBody(name: name, body: body))
    var thread = pthread_t()
    let status = pthread_create(
        &thread, nil,
        { context in
            guard let context else { return nil }
            let box = Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue()
            nameThisThread(box.name)
            box.body()
            return nil
        }, box.toOpaque())
    precondition(status == 0, "startThread: pthread_create gave \(status) for '\(name)'")
    pthread_detach(thread)
}

/// By the file that stands for it: the system call is not visible from Glibc's Swift module.
private func nameThisThread(_ name: String) {
    let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    _ = name.withCString { write(file, $0, strlen($0)) }
    close(file)
}

private final class ThreadBody: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        (self.name, self.body) = (name, body)
    }
}
