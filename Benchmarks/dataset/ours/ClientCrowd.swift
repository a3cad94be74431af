import Base
import Messages
import RPC

/// Many clients at once, each with a connection of its own: they upload, list and stream while a
/// version is frozen.
struct ClientCrowd: Sendable {
    /// What one client does before it ends.
    private static let roundsEach = 10
    private static let rowsEach = 10

    let load: DatasetLoad
    let task: BenchTask

    /// One answer and how long it took.
    private struct Sample: Sendable {
        let kind: String
        let seconds: Double
    }

    func run() async throws -> [String: Double] {
        let address = try Address(task.address ?? "")
        let count = task.clients ?? 50
        let samples = try await withThrowingTaskGroup(of: [Sample].self) { group in
            for number in 0..<count { group.addTask { try await client(number, address) } }
            group.addTask {
                let freeze = try await load.freeze()
                return [Sample(kind: "freeze", seconds: freeze["seconds"] ?? 0)]
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        var figures: [String: Double] = ["calls": Double(samples.count)]
        for (kind, samples) in Dictionary(grouping: samples, by: \.kind) {
            let sorted = samples.map(\.seconds).sorted()
            figures["\(kind) p50"] = sorted[sorted.count / 2] * 1_000
            figures["\(kind) p99"] = sorted[sorted.count * 99 / 100] * 1_000
        }
        return figures
    }

    private func client(_ number: Int, _ address: Address) async throws -> [Sample] {
        let client = Client(address)
        let load = DatasetLoad(client: client, dataset: load.dataset)
        var samples: [Sample] = []
        for round in 0..<Self.roundsEach {
            var rows = task
            rows.first = 10_000_000 + (number * Self.roundsEach + round) * Self.rowsEach
            rows.rows = Self.rowsEach
            let source = try RowSource(rows)
            samples.append(try await timed("ingest") { _ = try await load.ingest(source) })
            samples.append(try await timed("list") { try await load.list() })
            samples.append(try await timed("stream") { _ = try await load.stream(rowsMax: 50) })
        }
        await client.close()
        return samples
    }

    private func timed(_ kind: String, _ body: () async throws -> Void) async throws -> Sample {
        let clock = ContinuousClock()
        let start = clock.now
        try await body()
        return Sample(kind: kind, seconds: (clock.now - start) / .seconds(1))
    }
}

extension DatasetLoad {
    /// A page of rows.
    func list() async throws {
        var request = ListExamplesRequest()
        request.parent = parent
        _ = try await client.call(Datasets.listExamples, request)
    }
}
