package import Base
import CSQLite
import Glibc

/// Why something could not be stored or read back.
package enum StorageError: Failure, Hashable {
    /// No space is left, or a quota of the disk is used up.
    case diskFull
    /// The disk, or the file on it, cannot be written.
    case readOnly
    /// Another program holds the store.
    case inUse
    /// Too many changes wait to be written.
    case queueFull(waiting: Int, max: Int)
    /// What was read is not what was written.
    case corrupt(what: String)
    /// A blob's bytes are no longer those of its digest.
    case digestMismatch(expected: String, seen: String)
    /// A blob is not there.
    case blobMissing(String)
    /// A newer release has written here.
    case newerSchema(migration: String)
    /// A rule of the schema was broken, by our mistake.
    case constraint(String)
    /// Anything else; the code is SQLite's or the system's.
    case failed(what: String, code: Int)

    package var kind: FailureKind {
        switch self {
        case .diskFull, .queueFull: .exhausted
        case .readOnly, .inUse, .newerSchema: .precondition
        case .corrupt, .digestMismatch, .blobMissing: .dataLoss
        case .constraint, .failed: .broken
        }
    }

    package var reason: String {
        switch self {
        case .diskFull: "DISK_FULL"
        case .readOnly: "DISK_READ_ONLY"
        case .queueFull: "QUEUE_FULL"
        case .inUse, .newerSchema: "STATE_INVALID"
        case .corrupt, .digestMismatch, .blobMissing: "DIGEST_MISMATCH"
        case .constraint, .failed: "INTERNAL"
        }
    }

    package var message: String {
        switch self {
        case .diskFull: "no space is left on the disk; nothing of this change was kept"
        case .readOnly: "the disk cannot be written; nothing of this change was kept"
        case .inUse: "another program uses this data folder; stop it or choose another folder"
        case .queueFull(let waiting, let max):
            "\(waiting) changes wait to be written, as many as the \(max) allowed; try again"
        case .corrupt(let what): "stored content is damaged: \(what)"
        case .digestMismatch(let expected, let seen):
            "stored bytes of \(expected) have the digest \(seen); restore them from a copy"
        case .blobMissing(let digest):
            "stored bytes of \(digest) are not there; restore them from a copy"
        case .newerSchema(let migration):
            "the data was written by a newer release (\(migration)); use that release"
        case .constraint(let what): "a rule of the store was broken: \(what)"
        case .failed(let what, let code): "\(what) failed with code \(code)"
        }
    }

    package var details: [FailureDetail] {
        switch self {
        case .diskFull:
            [.quota(subject: "disk", description: "no space is left; free some and repeat")]
        case .queueFull: [.retry(afterSeconds: 1)]
        case .readOnly:
            [
                .precondition(
                    type: "DISK_READ_ONLY", subject: "disk", description: "it must be writable")
            ]
        default: []
        }
    }

    /// What a system call's error means here.
    init(_ error: SystemError, during what: String) {
        self =
            switch error.code {
            case ENOSPC, EDQUOT, EFBIG: .diskFull
            case EROFS, EACCES, EPERM: .readOnly
            default: .failed(what: "\(what) (\(error.words))", code: Int(error.code))
            }
    }

    /// What a result code of SQLite means here; the text never holds values or paths.
    ///
    /// - Parameter system: the error of the system call that failed, where one did
    init(sqlite code: Int32, _ text: String, system: Int32 = 0) {
        self =
            switch code & 0xff {
            case SQLITE_FULL: .diskFull
            case SQLITE_READONLY, SQLITE_PERM: .readOnly
            case SQLITE_CANTOPEN: .readOnly
            case SQLITE_BUSY, SQLITE_LOCKED: .inUse
            case SQLITE_CORRUPT, SQLITE_NOTADB: .corrupt(what: "the catalogue (\(code))")
            case SQLITE_CONSTRAINT: .constraint(text)
            case SQLITE_IOERR where [ENOSPC, EDQUOT, EFBIG].contains(system): .diskFull
            case SQLITE_IOERR where [EROFS, EACCES, EPERM].contains(system): .readOnly
            default: .failed(what: "the catalogue (\(text))", code: Int(code))
            }
    }
}
