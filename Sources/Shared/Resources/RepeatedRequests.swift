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

/// A request that gets the same answer however often it comes, for a day.
package struct RepeatableRequest: Sendable {
    private let id: String
    private let digest: SQLValue
    private let now: Int64

    /// nil for a request that is not to be remembered: one without an id.
    ///
    /// - Parameter now: nanoseconds since 1970
    package init?<Request: WireMessage>(_ id: String, _ request: Request, now: Int64) throws {
        guard !id.isEmpty else { return nil }
        self.id = try RepeatedRequests.checked(id)
        digest = try RepeatedRequests.digest(of: request)
        self.now = now
    }

    /// What was answered before; nil for a request that has not come yet. Throws where the id came
    /// with another request.
    package func answer<Response: WireMessage>(_ db: Connection) throws -> Response? {
        let stored = try db.first(
            "SELECT request_sha = ?, response FROM requests WHERE id = ?", digest, .text(id)
        ) { (isSame: $0.bool(0), response: $0.blob(1)) }
        guard let stored else { return nil }
        guard stored.isSame else { throw ResourceError.requestIDReused(id) }
        return try Response(decoding: stored.response)
    }

    /// Keeps an answer, in the transaction of the change it tells of.
    package func remember(_ response: some WireMessage, _ db: Connection) throws {
        try db.run(
            "DELETE FROM requests WHERE create_ns < ?",
            .integer(now - ResourceLimits.requestSecondsKept * 1_000_000_000))
        try db.run(
            "INSERT INTO requests VALUES(?, ?, ?, ?)", .text(id), digest,
            .blob(try response.encoded()), .integer(now))
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
        guard let repeatable = try RepeatableRequest(id, request, now: now) else {
            return try await write(body)
        }
        return try await write { db in
            if let answer: Response = try repeatable.answer(db) { return answer }
            let response = try body(db)
            try repeatable.remember(response, db)
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
