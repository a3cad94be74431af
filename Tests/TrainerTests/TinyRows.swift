import Base
import Foundation
import GoldenModels
import Images
import Messages
import Numerics
import RPC
import TestSupport

@testable import DatasetService
@testable import TrainerService

/// A dataset service in this process, with a frozen version of small pictures.
final class TinyDatasets {
    let folder: String
    private var data: String
    private var server: Server?
    private(set) var client: Client
    let socket: String

    init() async throws {
        folder = "/tmp/fovea-rows-\(UUID().uuidString.prefix(8))"
        (socket, data) = ("\(folder)/d.sock", "\(folder)/data")
        try FileManager.default.createDirectory(
            atPath: data, withIntermediateDirectories: true)
        let server = try Self.server(data)
        _ = try server.listen(on: .unix(path: socket))
        self.server = server
        client = Client(.unix(path: socket))
    }

    private static func server(_ folder: String) throws -> Server {
        Server(
            router: DatasetServer.router(try Catalogue(folder: folder), threads: 1),
            encodeDetails: TrainerHarness.encodeDetails)
    }

    /// Takes the service away, as a kill does.
    func stop() async {
        await server?.drain(graceSeconds: 0)
        server = nil
    }

    /// Brings it back on the same socket, with what is on the disk: a copy, since threads of the
    /// first service may still hold its folder.
    func restart() throws {
        let copy = "\(data)-again"
        try FileManager.default.copyItem(atPath: data, toPath: copy)
        data = copy
        let server = try Self.server(data)
        _ = try server.listen(on: .unix(path: socket))
        self.server = server
    }

    func close() async {
        await client.close()
        await stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Makes a dataset of so many rows and freezes it.
    ///
    /// - Parameter shares: of validation and test rows, in basis points
    func freeze(
        _ name: String = "cells", rows count: Int = 20,
        shares: (validation: UInt32, test: UInt32) = (2_000, 1_000),
        _ change: (inout Dataset) -> Void = { _ in }
    ) async throws {
        var dataset = Dataset()
        dataset.task = .generation
        change(&dataset)
        try await Self.freeze(name, rows: count, shares: shares, client, as: dataset)
    }

    /// Freezes rows of two classes, with an augmentation policy of one step.
    func freezeClasses(rows count: Int, test: UInt32 = 4_000) async throws {
        try await freeze(rows: count, shares: (1_000, test)) { dataset in
            dataset.task = .classification
            dataset.answerSchema = .with { schema in
                schema.classes = ["a cat", "a dog"].map { name in .with { $0.name = name } }
            }
            dataset.augmentationPolicy = .with { policy in
                policy.steps = [
                    .with {
                        $0.probability = 1
                        $0.transform = .brightness(
                            .with { ($0.factorMin, $0.factorMax) = (0.5, 1.2) })
                    }
                ]
            }
        }
    }

    static func freeze(
        _ name: String, rows count: Int, shares: (validation: UInt32, test: UInt32),
        _ client: Client, as dataset: Dataset = .with { $0.task = .generation }
    ) async throws {
        let policy = dataset.augmentationPolicy
        _ = try await client.call(
            Datasets.createDataset,
            .with {
                $0.datasetID = name
                $0.dataset = dataset
                $0.dataset?.augmentationPolicy = nil
            })
        if let policy {
            _ = try await client.call(
                Datasets.setAugmentationPolicy,
                .with { ($0.dataset, $0.policy) = ("datasets/\(name)", policy) })
        }
        let response = try await client.call(Datasets.ingestExamples) { requests in
            try await requests.write(
                .with { $0.part = .header(.with { $0.parent = "datasets/\(name)" }) })
            for number in 0..<count {
                let row = try row(number)
                try await requests.write(.with { $0.part = .row(row) })
            }
        }
        precondition(response.acceptedCount == count, "TinyDatasets: \(response)")
        _ = try await client.call(
            Datasets.freezeVersion,
            .with {
                $0.parent = "datasets/\(name)"
                $0.splitSpec = .with {
                    $0.validationBasisPoints = shares.validation
                    $0.testBasisPoints = shares.test
                }
            })
    }

    private static func row(_ number: Int) throws -> IngestRow {
        var random = SeededRandom(seed: UInt64(number))
        let pixels = (0..<(16 * 12 * 3)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        guard let image = RGBImage(width: 16, height: 12, pixels: pixels) else {
            throw ImageError.badSize(width: 16, height: 12)
        }
        let content = try image.png(level: 1)
        var row = IngestRow()
        row.rowID = "r\(number)"
        row.images = [.with { $0.source = .content(content) }]
        row.turns = [
            .with {
                $0.role = .user
                $0.parts = [
                    .with { $0.part = .imageIndex(0) },
                    .with { $0.part = .text("Which animal is number \(number)?") },
                ]
            },
            .with {
                $0.role = .assistant
                $0.parts = [
                    .with { $0.part = .text(number.isMultiple(of: 2) ? "a cat" : "a dog") }
                ]
            },
        ]
        return row
    }
}

/// The trainer with a tiny model of the golden set and rows from a dataset service.
final class TinyTrainer {
    let harness: TrainerHarness
    let registry: ModelRegistry
    var client: Client { harness.client }

    /// The smallest model of the set.
    static let model: GoldenFamily? = GoldenFamily.all.first { $0.has("golden/lora_lm/info.json") }

    init(
        _ datasets: TinyDatasets, folder: String? = nil, rowCacheBytes: Int = 1 << 30
    ) async throws {
        let folder = folder ?? TrainerHarness.newFolder()
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        let store = try TrainerStore(folder: folder)
        registry = ModelRegistry(store: store, roots: [GoldenFamily.root, "\(folder)/models"])
        let library = RowLibrary(
            DatasetClient(Client(.unix(path: datasets.socket))), folder: "\(folder)/rows",
            bytesMax: rowCacheBytes)
        let shop = TrainerShop(
            registry: registry, library: library, backend: try CPUBackend(threads: 1),
            pricePerHour: 0)
        harness = try TrainerHarness(store: store, shop: shop, registry)
    }

    func register() async throws {
        let folder = Self.model?.description ?? ""
        _ = try await client.call(
            Training.registerModel,
            .with { ($0.modelID, $0.directory) = ("tiny", folder) })
    }

    func close() async { await harness.close() }

    /// A LoRA job of a few steps in float32.
    static func request(
        _ id: String, _ change: (inout TrainSpec) -> Void = { _ in }
    ) -> CreateJobRequest {
        var spec = TrainSpec()
        spec.model = "models/tiny"
        spec.datasetVersion = "datasets/cells/versions/1"
        spec.adapter = .with { ($0.rank, $0.dropout) = (4, 0.1) }
        spec.optimizer = .with { $0.learningRate = 1e-3 }
        spec.batch = .with { ($0.rowsPerStep, $0.precision) = (4, .float32) }
        (spec.epochs, spec.seed, spec.checkpointIntervalSteps) = (2, 7, 2)
        (spec.force, spec.forceReason) = (true, "a test")
        spec.earlyStopping = .with { $0.disabled = true }
        change(&spec)
        return .with {
            $0.jobID = id
            $0.spec = .with { $0.work = .train(spec) }
        }
    }

    @discardableResult
    func create(
        _ id: String, _ change: (inout TrainSpec) -> Void = { _ in }
    ) async throws -> TrainingJob {
        try await client.call(Training.createJob, Self.request(id, change))
    }

    /// The files of a result, with their bytes.
    func fetch(
        _ name: String, _ change: (inout FetchArtifactRequest) -> Void = { _ in }
    ) async throws -> (summary: ArtifactSummary, files: [String: [UInt8]]) {
        var request = FetchArtifactRequest()
        request.name = name
        change(&request)
        var summary = ArtifactSummary()
        var files: [String: [UInt8]] = [:]
        var path = ""
        for try await response in try await client.call(Training.fetchArtifact, request) {
            switch response.part {
            case .summary(let first)?: summary = first
            case .header(let header)?:
                path = header.path
                files[path] = []
            case .chunk(let chunk)?: files[path]? += chunk.content
            case .trailer, nil: break
            }
        }
        return (summary, files)
    }

    /// Fetches the result of a job that trained all weights, and registers it as a person would.
    func registerResult(of job: String, as id: String) async throws {
        let (_, files) = try await fetch("jobs/\(job)/artifacts/result")
        let directory = "\(harness.folder)/models/\(id)"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        for (name, bytes) in files {
            try Data(bytes).write(to: URL(fileURLWithPath: "\(directory)/\(name)"))
        }
        _ = try await client.call(
            Training.registerModel, .with { ($0.modelID, $0.directory) = (id, directory) })
    }
}
