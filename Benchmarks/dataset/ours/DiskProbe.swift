import CLinux
import Foundation
import Glibc
import RPC

/// What the disk gives a program that keeps images safe and does nothing else: files of their own,
/// written, synced, named and synced again, so many at a time.
struct DiskProbe {
    private static let groupSize = 256

    private let folder: String
    private let count: Int
    private let bytes: Int

    init(_ task: BenchTask) {
        folder = task.folder ?? NSTemporaryDirectory()
        count = task.rows ?? 1_000
        bytes = task.bytes ?? 30_000
    }

    func run() throws -> [String: Double] {
        let root = open(folder, O_RDONLY | O_DIRECTORY)
        guard root >= 0 else { throw failure("opening the folder") }
        defer { close(root) }
        for shard in 0..<256 { mkdir("\(folder)/\(shard)", 0o700) }
        let content = (0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 97) }
        let clock = ContinuousClock()
        let spent = try clock.measure {
            for start in stride(from: 0, to: count, by: Self.groupSize) {
                let group = start..<min(start + Self.groupSize, count)
                try write(group, content, root)
            }
        }
        let seconds = spent / .seconds(1)
        return ["seconds": seconds, "perSecond": Double(count) / seconds]
    }

    private func write(_ group: Range<Int>, _ content: [UInt8], _ root: Int32) throws {
        for number in group {
            let file = open("\(folder)/partial-\(number)", O_WRONLY | O_CREAT | O_EXCL, 0o600)
            guard file >= 0 else { throw failure("making a file") }
            defer { close(file) }
            guard Glibc.write(file, content, content.count) == content.count else {
                throw failure("writing a file")
            }
        }
        guard syncfs(root) == 0 else { throw failure("syncing") }
        for number in group {
            let name = "\(folder)/\(number % 256)/\(number)"
            guard rename("\(folder)/partial-\(number)", name) == 0 else { throw failure("naming") }
        }
        guard syncfs(root) == 0 else { throw failure("syncing") }
    }

    private func failure(_ what: String) -> RPCError {
        RPCError(.internalError, "\(what) failed with code \(errno)")
    }
}
