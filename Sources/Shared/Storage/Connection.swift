import Base
import CSQLite
import Glibc

/// One connection to a catalogue. Belongs to one thread at a time; `Database` gives it one.
///
/// Statements are prepared once and kept. One that is in use is taken out of the cache, so that the
/// same text can be run again inside its own loop.
package final class Connection {
    /// How a catalogue is opened.
    package enum Mode: Sendable {
        case readWrite
        case readOnly
    }

    /// Statements kept; a program has fewer texts than this.
    private static let statementsMax = 256

    private let handle: OpaquePointer
    private var statements: [String: OpaquePointer] = [:]
    private var committedActions: [() -> Void] = []

    init(path: String, mode: Mode) throws(StorageError) {
        var opened: OpaquePointer?
        let access =
            mode == .readWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY
        let code = sqlite3_open_v2(path, &opened, access | SQLITE_OPEN_NOMUTEX, nil)
        guard code == SQLITE_OK, let opened else {
            sqlite3_close_v2(opened)
            throw StorageError(sqlite: code, "cannot be opened")
        }
        handle = opened
        sqlite3_extended_result_codes(handle, 1)
        sqlite3_busy_timeout(handle, 10_000)
    }

    deinit {
        for statement in statements.values { sqlite3_finalize(statement) }
        sqlite3_close_v2(handle)
    }

    /// Runs a statement that gives no rows.
    ///
    /// - Returns: how many rows it changed
    @discardableResult
    package func run(_ sql: String, _ values: SQLValue...) throws(StorageError) -> Int {
        try each(sql, values) { (_) throws(StorageError) in true }
        return Int(sqlite3_changes(handle))
    }

    /// Calls `body` with each row, until it returns false.
    package func each(
        _ sql: String, _ values: [SQLValue], _ body: (Row) throws(StorageError) -> Bool
    ) throws(StorageError) {
        let statement = try take(sql)
        defer { giveBack(statement, sql) }
        for (index, value) in values.enumerated() {
            try check(bind(value, Int32(index + 1), statement))
        }
        while true {
            switch sqlite3_step(statement) {
            case SQLITE_DONE: return
            case SQLITE_ROW: guard try body(Row(statement: statement)) else { return }
            case let code: throw failure(code)
            }
        }
    }

    /// All rows, made into values.
    package func rows<T>(
        _ sql: String, _ values: SQLValue..., as make: (Row) throws(StorageError) -> T
    ) throws(StorageError) -> [T] {
        var result: [T] = []
        try each(sql, values) { (row) throws(StorageError) in
            result.append(try make(row))
            return true
        }
        return result
    }

    /// The first row, made into a value; nil if there is none.
    package func first<T>(
        _ sql: String, _ values: SQLValue..., as make: (Row) throws(StorageError) -> T
    ) throws(StorageError) -> T? {
        var result: T?
        try each(sql, values) { (row) throws(StorageError) in
            result = try make(row)
            return false
        }
        return result
    }

    /// Runs several statements without values.
    package func script(_ sql: String) throws(StorageError) {
        try check(sqlite3_exec(handle, sql, nil, nil, nil))
    }

    /// The key of the row inserted last.
    package var lastKey: Int64 { sqlite3_last_insert_rowid(handle) }

    /// Runs `body` once the transaction is on disk; never if it is rolled back.
    package func afterCommit(_ body: @escaping () -> Void) { committedActions.append(body) }

    var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    /// Runs `body` so that either all of its changes stay or none.
    package func savepoint<R>(_ body: () throws -> R) throws -> R {
        try script("SAVEPOINT change")
        let actions = committedActions.count
        do {
            let result = try body()
            try script("RELEASE change")
            return result
        } catch {
            committedActions.removeSubrange(actions...)
            // SQLite may have ended the whole transaction already; then there is nothing to undo.
            if isInTransaction { try script("ROLLBACK TO change; RELEASE change") }
            throw error
        }
    }

    func commit() throws(StorageError) {
        do {
            try script("COMMIT")
        } catch {
            rollBack()
            throw error
        }
        let actions = committedActions
        committedActions = []
        for action in actions { action() }
    }

    func rollBack() {
        committedActions = []
        if isInTransaction { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
    }

    private func take(_ sql: String) throws(StorageError) -> OpaquePointer {
        if let statement = statements.removeValue(forKey: sql) { return statement }
        var prepared: OpaquePointer?
        let flags = UInt32(SQLITE_PREPARE_PERSISTENT)
        try check(sqlite3_prepare_v3(handle, sql, -1, flags, &prepared, nil))
        guard let prepared else { throw .constraint("an empty statement") }
        return prepared
    }

    private func giveBack(_ statement: OpaquePointer, _ sql: String) {
        sqlite3_reset(statement)
        sqlite3_clear_bindings(statement)
        if statements[sql] == nil, statements.count < Self.statementsMax {
            statements[sql] = statement
        } else {
            sqlite3_finalize(statement)
        }
    }

    private func bind(_ value: SQLValue, _ index: Int32, _ statement: OpaquePointer) -> Int32 {
        switch value {
        case .null: return sqlite3_bind_null(statement, index)
        case .integer(let number): return sqlite3_bind_int64(statement, index, number)
        case .real(let number): return sqlite3_bind_double(statement, index, number)
        case .text(var text):
            return text.withUTF8 { utf8 in
                utf8.withMemoryRebound(to: CChar.self) {
                    fovea_bind_text(statement, index, $0.baseAddress, Int32($0.count))
                }
            }
        case .blob(let bytes):
            return bytes.withUnsafeBytes {
                fovea_bind_blob(statement, index, $0.baseAddress, UInt64($0.count))
            }
        }
    }

    private func check(_ code: Int32) throws(StorageError) {
        guard code == SQLITE_OK else { throw failure(code) }
    }

    private func failure(_ code: Int32) -> StorageError {
        // SQLite does not keep the error of a write that it undoes; the C library still has it.
        let last = errno
        let kept = sqlite3_system_errno(handle)
        return StorageError(
            sqlite: code, String(cString: sqlite3_errmsg(handle)), system: kept == 0 ? last : kept)
    }
}
