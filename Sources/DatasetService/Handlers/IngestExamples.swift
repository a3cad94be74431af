import Messages
import RPC
import Resources

/// `IngestExamples`.
struct IngestExamples: Sendable {
    let catalogue: Catalogue
    let workers: IngestWorkers

    func callAsFunction(
        _ requests: RequestReader<IngestExamplesRequest>, _ context: CallContext
    ) async throws -> IngestExamplesResponse {
        try await workers.counted { try await take(requests, context) }
    }

    private func take(
        _ requests: RequestReader<IngestExamplesRequest>, _ context: CallContext
    ) async throws -> IngestExamplesResponse {
        guard case .header(let header)? = try await requests.next()?.part else {
            throw DatasetError.outOfOrder(seen: "something else", expected: "a header")
        }
        var session = try await IngestSession(
            header, catalogue, workers, author: context.principal.name)
        while let request = try await requests.next() { try await session.take(request.part) }
        return try await session.finish()
    }
}
