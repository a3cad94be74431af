import Base
import Foundation
import Quality
import RPC

/// What is to be measured.
struct BenchTask: Decodable, Sendable {
    /// What to do: "ingest", "freeze", "stream", "clients", "duplicates" or "disk".
    let task: String
    /// Of the server; "duplicates" and "disk" have none.
    var address: String?
    var dataset: String?
    /// Rows, hashes or files.
    var rows: Int?
    /// "photos" of some 30 kB, or "tiny" ones, each unlike any other.
    var images: String?
    /// First row of a dataset that grows.
    var first: Int?
    var folder: String?
    /// Bytes of a file.
    var bytes: Int?
    /// Clients at a time.
    var clients: Int?

    /// The figures by name.
    func run() async throws -> [String: Double] {
        switch task {
        case "duplicates": return nearDuplicates()
        case "disk": return try DiskProbe(self).run()
        default: break
        }
        let client = Client(try Address(address ?? ""))
        let figures = try await run(with: client)
        await client.close()
        return figures
    }

    private func run(with client: Client) async throws -> [String: Double] {
        let load = DatasetLoad(client: client, dataset: dataset ?? "bench")
        switch task {
        case "create":
            try await load.create()
            return [:]
        case "ingest": return try await load.ingest(try RowSource(self))
        case "freeze": return try await load.freeze()
        case "stream": return try await load.stream()
        case "clients": return try await ClientCrowd(load: load, task: self).run()
        default: throw RPCError(.invalidArgument, "no task '\(task)'")
        }
    }

    /// Seconds to find all near duplicates among random hashes, a tenth of which have a neighbour.
    private func nearDuplicates() -> [String: Double] {
        let count = rows ?? 1_000
        let hashes = (0..<count).map { number -> UInt64 in
            let isCopy = number.isMultiple(of: 10) && number > 0
            let hash = Philox.mixed(UInt64(isCopy ? number - 1 : number), seed: 1)
            return isCopy ? hash ^ (1 << UInt64(number % 64)) : hash
        }
        let clock = ContinuousClock()
        var found = 0
        let spent = clock.measure {
            found = DuplicateClusters(of: hashes, distanceMax: 6).clusters.count
        }
        return ["seconds": spent / .seconds(1), "clusters": Double(found)]
    }
}
