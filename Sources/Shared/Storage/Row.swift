package import Base
import CSQLite

/// The current row of a query. Valid only inside the closure that receives it.
package struct Row {
    let statement: OpaquePointer

    /// A whole number; 0 for NULL.
    package func int64(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }

    /// A whole number; 0 for NULL.
    package func int(_ column: Int32) -> Int { Int(int64(column)) }

    /// 64 bits stored by `SQLValue(bits:)`.
    package func bits(_ column: Int32) -> UInt64 { UInt64(bitPattern: int64(column)) }

    /// Whether the number is not 0.
    package func bool(_ column: Int32) -> Bool { int64(column) != 0 }

    /// A number; 0 for NULL.
    package func double(_ column: Int32) -> Double { sqlite3_column_double(statement, column) }

    /// Whether there is no value.
    package func isNull(_ column: Int32) -> Bool {
        sqlite3_column_type(statement, column) == SQLITE_NULL
    }

    /// A text; empty for NULL.
    package func text(_ column: Int32) -> String {
        guard let start = sqlite3_column_text(statement, column) else { return "" }
        let count = Int(sqlite3_column_bytes(statement, column))
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }

    /// A copy of a blob; empty for NULL.
    package func blob(_ column: Int32) -> Bytes {
        withBlob(column) { Bytes(copying: $0) }
    }

    /// Reads a blob where it lies; no bytes for NULL.
    package func withBlob<R>(_ column: Int32, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        let start = sqlite3_column_blob(statement, column)
        let count = Int(sqlite3_column_bytes(statement, column))
        return body(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count))
    }
}
