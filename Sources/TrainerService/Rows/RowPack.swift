import Base
import Foundation
import Glibc
import Messages

/// The rows of one split of a version on the disk of the trainer, one after another: for each the
/// length of a message in four bytes, little-endian, and the message as the dataset service sent
/// it. Rows beyond the limit of the cache are there without their images.
///
/// A pack takes its name when it is whole, so one that is there is complete.
final class RowPack: Sendable {
    private let descriptor: Int32
    /// Where each message is.
    private let places: [(offset: Int, count: Int)]

    /// Opens a pack; nil if there is none.
    init?(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0, errno == ENOENT { return nil }
        guard descriptor >= 0 else { throw RowPackError.unreadable(SystemError.last) }
        self.descriptor = descriptor
        places = try Self.places(descriptor)
    }

    deinit { close(descriptor) }

    var count: Int { places.count }

    /// A row as it was sent.
    func row(_ index: Int) throws -> StreamExamplesResponse {
        let (offset, count) = places[index]
        let bytes = try Bytes(count: count) { target throws(RowPackError) in
            var done = 0
            while done < count, let base = target.baseAddress {
                let got = pread(descriptor, base + done, count - done, off_t(offset + done))
                if got < 0, errno == EINTR { continue }
                guard got > 0 else { throw .unreadable(SystemError.last) }
                done += got
            }
        }
        return try StreamExamplesResponse(decoding: bytes)
    }

    private static func places(_ descriptor: Int32) throws -> [(offset: Int, count: Int)] {
        var state = stat()
        guard fstat(descriptor, &state) == 0 else {
            throw RowPackError.unreadable(SystemError.last)
        }
        var places: [(offset: Int, count: Int)] = []
        var offset = 0
        while offset < Int(state.st_size) {
            var length = UInt32(0)
            guard pread(descriptor, &length, 4, off_t(offset)) == 4 else {
                throw RowPackError.damaged(row: places.count)
            }
            let count = Int(UInt32(littleEndian: length))
            guard offset + 4 + count <= Int(state.st_size) else {
                throw RowPackError.damaged(row: places.count)
            }
            places.append((offset + 4, count))
            offset += 4 + count
        }
        return places
    }
}

/// Writes a pack under another name until it is whole.
struct RowPackWriter: ~Copyable {
    private let path: String
    private let partial: String
    private let descriptor: Int32
    private(set) var byteCount = 0

    init(_ path: String) throws(RowPackError) {
        (self.path, partial) = (path, path + ".partial")
        descriptor = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .unwritable(SystemError.last) }
    }

    deinit { close(descriptor) }

    mutating func append(_ row: StreamExamplesResponse) throws {
        let bytes = try row.encoded()
        var length = UInt32(bytes.count).littleEndian
        try withUnsafeBytes(of: &length) { try write($0) }
        try bytes.withUnsafeBytes { try write($0) }
    }

    private mutating func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while let base = rest.baseAddress, !rest.isEmpty {
            let count = Glibc.write(descriptor, base, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw RowPackError.unwritable(SystemError.last) }
            byteCount += count
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Gives the pack its name, once all of it is on the disk.
    consuming func finish() throws(RowPackError) {
        guard fsync(descriptor) == 0, rename(partial, path) == 0 else {
            throw .unwritable(SystemError.last)
        }
    }
}

/// Why the cache of rows cannot be used.
enum RowPackError: Failure {
    case unreadable(SystemError)
    case unwritable(SystemError)
    case damaged(row: Int)

    var kind: FailureKind {
        switch self {
        case .unwritable(let error):
            [ENOSPC, EDQUOT].contains(error.code) ? .exhausted : .precondition
        case .unreadable, .damaged: .dataLoss
        }
    }

    var reason: String {
        switch self {
        case .unwritable: kind == .exhausted ? "DISK_FULL" : "DISK_READ_ONLY"
        case .unreadable, .damaged: "DIGEST_MISMATCH"
        }
    }

    var message: String {
        switch self {
        case .unreadable(let error): "the cache of rows cannot be read (\(error.words))"
        case .unwritable(let error): "the cache of rows cannot be written (\(error.words))"
        case .damaged(let row): "the cache of rows is damaged at row \(row); remove it"
        }
    }
}
