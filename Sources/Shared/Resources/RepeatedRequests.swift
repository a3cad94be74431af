package import Base
import Digests
import Foundation
package import Storage

/// Requests that carry an id are answered once; the answer is kept for a day.
package enum RepeatedRequests {
    /// The table that answers are kept in.
    package static let schema = """
        CREATE TABLE requests(
            id TEXT PRIMARY KEY,
            request_sha BLOB NOT NULL,
            response BLOB NOT NULL,
            create_ns INTEGER NOT NULL) WITHOUT ROWID;
        CREATE INDEX requests_by_creation ON requests(create_ns);
        """

    /// What a request asks for, as 32 bytes.
    package static func digest<Request: WireMessage>(of request: Request) throws -> SQLValue {
        SQLValue.digest(Bytes(Request.messageName + "\n"), try request.encoded())
    }

    /// The id as it is kept; it must be a UUID.
    package static func checked(_ id: String) throws(ResourceError) -> String {
        guard UUID(uuidString: id) != nil else {
            throw .invalid(field: "request_id", seen: id, allowed: "a UUID is allowed")
        }
        return id.lowercased()
    }
}

extension Database {
    /// Answers a repeated request as the first time, for a day; else does what it asks.
    ///
    /// - Parameters:
    ///   - id: empty for a request that is not to be remembered
    ///   - now: nanoseconds since 1970
    package func once<Request: WireMessage, Response: WireMessage>(
        _ id: String, _ request: Request, now: Int64,
        _ body: @escaping @Sendable (Connection) throws -> Response
    ) async throws -> Response {
        guard !id.isEmpty else { return try await write(body) }
        let key = try RepeatedRequests.checked(id)
        let sha = try RepeatedRequests.digest(of: request)
        return try await write { db in
            if let stored = try db.first(
                "SELECT request_sha = ?, response FROM requests WHERE id = ?", sha, .text(key),
                as: { ($0.bool(0), $0.blob(1)) })
            {
                guard stored.0 else { throw ResourceError.requestIDReused(id) }
                return try Response(decoding: stored.1)
            }
            try db.run(
                "DELETE FROM requests WHERE create_ns < ?",
                .integer(now - ResourceLimits.requestSecondsKept * 1_000_000_000))
            let response = try body(db)
            try db.run(
                "INSERT INTO requests VALUES(?, ?, ?, ?)", .text(key), sha,
                .blob(try response.encoded()), .integer(now))
            return response
        }
    }

    /// Does it, keeps the answer and nothing else.
    package func undone<Response: Sendable>(
        _ body: @escaping @Sendable (Connection) throws -> Response
    ) async throws -> Response {
        do {
            return try await write { db in throw Undo(response: try body(db)) }
        } catch let undo as Undo<Response> {
            return undo.response
        }
    }
}

/// Carries an answer out of a transaction that is not to stay.
private struct Undo<Response: Sendable>: Error {
    let response: Response
}
