import Base
import Messages
import RPC
import Resources

/// Calls the dataset service.
struct DatasetClient: Sendable {
    private let client: Client
    /// Seconds that a call without rows may take.
    private static let answerSeconds = 30.0

    init(_ client: Client) { self.client = client }

    /// A frozen version; `latest` stands for the newest.
    func version(_ name: VersionName) async throws -> DatasetVersion {
        do {
            return try await told {
                try await client.call(
                    Datasets.getVersion, .with { $0.name = "\(name)" },
                    options: CallOptions(timeoutSeconds: Self.answerSeconds))
            }
        } catch let error as RPCError where error.code == .notFound {
            throw ResourceError.notFound(
                type: "fovea.dataset.v1.DatasetVersion", name: "\(name)")
        }
    }

    /// The dataset that a version is of.
    func dataset(of version: VersionName) async throws -> Dataset {
        try await told {
            try await client.call(
                Datasets.getDataset, .with { $0.name = "datasets/\(version.dataset)" },
                options: CallOptions(timeoutSeconds: Self.answerSeconds))
        }
    }

    /// Rows of a version in stored order.
    func rows(
        _ request: StreamExamplesRequest
    ) async throws -> ResponseStream<StreamExamplesResponse> {
        try await told { try await client.call(Datasets.streamExamples, request) }
    }

    /// The next row; what the service says of a version that is gone comes as it is.
    func next(
        _ stream: ResponseStream<StreamExamplesResponse>
    ) async throws -> StreamExamplesResponse? {
        try await told { try await stream.next() }
    }

    /// Calls, and says of errors that nobody here can help whose they are.
    private func told<R>(_ body: () async throws -> R) async throws -> R {
        do { return try await body() } catch let error as RPCError {
            throw Self.translated(error)
        }
    }

    private static func translated(_ error: RPCError) -> any Error {
        switch error.code {
        case .unavailable, .deadlineExceeded, .resourceExhausted, .cancelled:
            TrainerError.datasetsUnavailable(why: error.message)
        case .unauthenticated, .permissionDenied:
            TrainerError.datasetsRefuse(why: error.message)
        default: error
        }
    }
}

extension TrainerError {
    /// Whether waiting may help.
    var isOutage: Bool { if case .datasetsUnavailable = self { true } else { false } }
}
