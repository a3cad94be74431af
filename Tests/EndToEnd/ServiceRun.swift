import Foundation
import Glibc

/// A program of ours that runs, with a folder of its own for sockets, data and what it prints.
final class ServiceRun {
    let process = Process()
    private let folder: TemporaryFolder
    private let errors, output: String

    /// Starts `fovea-<name>` with these arguments and no `FOVEA_*` variables but the given ones.
    init(
        _ name: String, _ arguments: [String], in folder: TemporaryFolder,
        environment: [String: String] = [:]
    ) throws {
        self.folder = folder
        errors = try folder.write("stderr-\(UUID().uuidString)", "")
        output = try folder.write("stdout-\(UUID().uuidString)", "")
        process.executableURL = URL(fileURLWithPath: Self.executable(name))
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder.root)
        process.environment = ["XDG_RUNTIME_DIR": folder.root].merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errors))
        try process.run()
    }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    /// The executables stand beside the tests.
    static func executable(_ name: String) -> String {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        let folder = URL(fileURLWithPath: tests ?? "").deletingLastPathComponent().path
        return folder + "/fovea-" + name
    }

    /// What it wrote to standard output so far.
    var printed: String { (try? String(contentsOfFile: output, encoding: .utf8)) ?? "" }

    /// The lines it wrote to standard error so far.
    var complaints: [String] {
        let text = (try? String(contentsOfFile: errors, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map(String.init)
    }

    /// The JSON objects of its log so far.
    var log: [[String: Any]] {
        complaints.compactMap { line in
            (try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: Any]
        }
    }

    /// Waits for a line with that message.
    func logged(_ message: String) async throws -> [String: Any] {
        let line = try await eventually("a line '\(message)' in \(complaints)") {
            self.log.first { $0["message"] as? String == message }
        }
        return line
    }

    /// Waits for the end and returns the exit code, or 1000 and the signal that ended it.
    func exitCode() async throws -> Int32 {
        try await eventually("the end of the process") {
            guard !self.process.isRunning else { return nil }
            let signal: Int32 = self.process.terminationReason == .uncaughtSignal ? 1_000 : 0
            return self.process.terminationStatus + signal
        }
    }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }
}

/// A new folder with a short path, removed at the end.
final class TemporaryFolder {
    let root: String

    init() throws {
        root = "/tmp/fovea-test-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: root, withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    func path(_ name: String) -> String { "\(root)/\(name)" }

    func write(_ name: String, _ text: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
        return path(name)
    }

    /// The names in it that programs under test made.
    var names: [String] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return all.filter { !$0.hasPrefix("std") }.sorted()
    }
}

/// What did not happen in time.
struct TimedOut: Error {
    let what: String
}

/// Asks every few milliseconds until there is an answer; gives up after 20 seconds.
func eventually<Answer>(_ what: @autoclosure () -> String, _ ask: () -> Answer?) async throws
    -> Answer
{
    let start = ContinuousClock.now
    while ContinuousClock.now - start < .seconds(20) {
        if let answer = ask() { return answer }
        try await Task.sleep(for: .milliseconds(5))
    }
    throw TimedOut(what: what())
}

/// What an HTTP server on this machine answers to one request.
func httpAnswer(port: Int, _ request: String) -> String {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let status = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    guard status == 0 else { return "" }
    let head = "\(request) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    _ = head.withCString { write(descriptor, $0, strlen($0)) }
    var answer: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        guard count > 0 else { break }
        answer += buffer[..<count]
    }
    return String(decoding: answer, as: UTF8.self)
}

/// A TCP port of this machine that somebody listens on while this lives.
final class TakenPort {
    let port: Int
    private let descriptor: Int32

    init() {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                bind(descriptor, raw, length)
                listen(descriptor, 1)
                return getsockname(descriptor, raw, &length)
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }
}
