import Base
import Messages
import RPC

/// Calls of one client on one dataset.
struct DatasetLoad: Sendable {
    let client: Client
    let dataset: String

    var parent: String { "datasets/\(dataset)" }

    /// A classification of ten classes, grouped by part.
    func create() async throws {
        var request = CreateDatasetRequest()
        request.datasetID = dataset
        var content = Dataset()
        content.task = .classification
        var schema = AnswerSchema()
        schema.classes = (0..<10).map { number in
            var item = AnswerClass()
            item.name = "class-\(number)"
            return item
        }
        content.answerSchema = schema
        content.groupKeys = ["part"]
        request.dataset = content
        _ = try await client.call(Datasets.createDataset, request)
    }

    /// Uploads rows; all are on disk at the end of the time told.
    func ingest(_ source: RowSource) async throws -> [String: Double] {
        let clock = ContinuousClock()
        let start = clock.now
        let parent = parent
        let response = try await client.call(Datasets.ingestExamples) { requests in
            var header = IngestHeader()
            header.parent = parent
            try await requests.write(Self.request(.header(header)))
            for number in source.range {
                try await requests.write(Self.request(.row(try source.row(number))))
            }
        }
        let seconds = (clock.now - start) / .seconds(1)
        guard response.acceptedCount == UInt64(source.range.count) else {
            let problem = response.rows.first?.problems.first?.message ?? "no reason"
            throw RPCError(
                .internalError,
                "\(response.acceptedCount) of \(source.range.count) rows: \(problem)")
        }
        return [
            "seconds": seconds, "perSecond": Double(source.range.count) / seconds,
            "bytesEach": Double(response.imageBytes) / Double(source.range.count),
        ]
    }

    private static func request(_ part: IngestExamplesRequest.Part) -> IngestExamplesRequest {
        var request = IngestExamplesRequest()
        request.part = part
        return request
    }

    /// Freezes all there is.
    func freeze() async throws -> [String: Double] {
        var request = FreezeVersionRequest()
        request.parent = parent
        let clock = ContinuousClock()
        let start = clock.now
        let response = try await client.call(Datasets.freezeVersion, request)
        return [
            "seconds": (clock.now - start) / .seconds(1),
            "rows": Double(response.version?.exampleCount ?? 0),
        ]
    }

    /// Reads the train split of the newest version in seeded order.
    func stream(rowsMax: UInt64 = 0) async throws -> [String: Double] {
        var request = StreamExamplesRequest()
        request.version = "\(parent)/versions/latest"
        request.split = .train
        request.shuffle = true
        request.seed = 7
        request.rowCountMax = rowsMax
        let clock = ContinuousClock()
        let start = clock.now
        var (rows, bytes) = (0, 0)
        for try await response in try await client.call(Datasets.streamExamples, request) {
            guard case .example(let row)? = response.part else { continue }
            rows += 1
            bytes += row.images.reduce(0) { $0 + $1.content.count }
        }
        let seconds = (clock.now - start) / .seconds(1)
        return [
            "seconds": seconds, "rows": Double(rows), "rowsPerSecond": Double(rows) / seconds,
            "mebibytesPerSecond": Double(bytes) / 1_048_576 / seconds,
        ]
    }
}
