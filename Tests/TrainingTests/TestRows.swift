import Base
import Foundation
import GoldenModels
import Images
import Models
import Numerics
import TensorFiles
import Testing
import Text

@testable import Training

/// Rows in memory, with faults where a test wants them.
struct TestRows: RowSource {
    var train: [TrainingRow]
    var validation: [TrainingRow]
    /// What is wrong with a row, asked at every read.
    var fault: @Sendable (RowSplit, Int) -> RowFault? = { _, _ in nil }

    func count(of split: RowSplit) -> Int { rows(split).count }

    func outline(_ index: Int, of split: RowSplit) throws(RowFault) -> RowOutline {
        let row = rows(split)[index]
        var sizes: [ImageSize] = []
        for file in row.images {
            do throws(ImageError) {
                sizes.append(ImageSize(uprightOf: try ImageHeader(reading: file)))
            } catch {
                throw .unreadable(row: row.id, why: error.message)
            }
        }
        return RowOutline(id: row.id, messages: row.messages, imageSizes: sizes)
    }

    func row(
        _ index: Int, of split: RowSplit, epoch: Int
    ) throws(RowFault) -> TrainingRow {
        if let fault = fault(split, index) { throw fault }
        return rows(split)[index]
    }

    private func rows(_ split: RowSplit) -> [TrainingRow] {
        split == .train ? train : validation
    }
}

extension GoldenFamily {
    /// Its conversations, by name.
    func rows() throws -> [TrainingRow] {
        try cases().map { one in
            let names = one.node["images"]?.elements.compactMap(\.string) ?? []
            let files = try names.map {
                try SmallFile.read("\(folder)/\($0)", bytesMax: 1 << 26).get()
            }
            return TrainingRow(id: one.name, messages: one.messages, images: files)
        }
    }

    func row(_ name: String?) throws -> TrainingRow {
        try #require(try rows().first { $0.id == name })
    }
}

/// A row of text alone.
func textRow(_ id: String, _ question: String, _ answer: String) -> TrainingRow {
    TrainingRow(
        id: id, messages: [ChatMessage(.user, question), ChatMessage(.assistant, answer)],
        images: [])
}

/// The smallest model of the set, in float32, loaded once.
enum TinyModel {
    static let golden: GoldenFamily = {
        guard let first = GoldenFamily.all.first(where: { $0.has("golden/lora_lm/info.json") })
        else { preconditionFailure("no model with an adapter in \(GoldenFamily.root)") }
        return first
    }()

    static let loaded: LoadedModel = {
        do { return try golden.load(on: cpu) } catch { preconditionFailure("\(error)") }
    }()
}

/// What most tests train with: a small adapter, text rows of several lengths.
struct TinyRun {
    var recipe = TrainingRecipe()
    var rows: TestRows
    var store: CheckpointStore?
    var clock: @Sendable () -> MonotonicTime = { MonotonicTime(nanoseconds: 0) }
    var baseDigest = "base-1"
    var taskMetrics: (@Sendable (TrainedWeights, Int) throws(RowFault) -> [String: Double])?
    var model: LoadedModel { TinyModel.loaded }

    init(rows count: Int = 10) {
        recipe.adapter.rank = 4
        recipe.batch.rowsPerStep = 4
        recipe.batch.precision = .float32
        recipe.batch.microBatchTokensMax = 120
        recipe.optimiser.learningRate = 5e-3
        recipe.epochs = 2
        recipe.seed = 7
        rows = TestRows(
            train: (0..<count).map { index in
                let words = Array(repeating: "red car", count: 1 + index * 7 % 5)
                return textRow(
                    "row-\(index)", words.joined(separator: " "), "two people \(index)")
            },
            validation: (0..<3).map { textRow("check-\($0)", "a red car", "two people \($0)") })
    }

    func encoder(tokensMax: Int = 4096) -> RowEncoder {
        RowEncoder(model.inputs, recipe, tokensMax: tokensMax)
    }

    func checked() throws -> (recipe: CheckedRecipe, facts: DatasetFacts) {
        let facts = try encoder().facts(of: rows)
        return (try recipe.validated(for: ModelOutline(model), rows: facts), facts)
    }

    func setup(on model: LoadedModel = TinyModel.loaded) throws -> RunSetup {
        let (checked, facts) = try checked()
        var setup = RunSetup(
            checked, model, rows: (rows, facts), encoder(),
            RunOrigin(baseDigest: baseDigest, baseFolder: TinyModel.golden.folder),
            RunSurroundings(now: clock, peakBytes: { 0 }))
        (setup.store, setup.taskMetrics) = (store, taskMetrics)
        return setup
    }

    func start(from name: String? = nil) throws -> TrainingRun {
        let saved = try name.map { name in
            try SavedCheckpoint(name, in: try #require(store))
        }
        return try TrainingRun(try setup(), resuming: saved)
    }
}

extension TrainingRun {
    /// Advances until it stops.
    mutating func finish(
        _ onEvent: (RunEvent) throws -> Void = { _ in }
    ) throws -> RunEnding {
        while true {
            let event = try advance()
            try onEvent(event)
            if case .stopped(let ending) = event { return ending }
        }
    }

    /// The bits of what is trained.
    var bits: [String: [UInt8]] {
        Dictionary(uniqueKeysWithValues: trained.values.map { ($0.name, $0.tensor.bytes()) })
    }

    /// The logged numbers of a name.
    func curve(_ name: String) -> [Double] { history.compactMap { $0[name] } }
}

/// A folder that is gone after the test.
final class TrainingFolder: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory
            .appending(path: "fovea-training-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var names: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
    }
}
