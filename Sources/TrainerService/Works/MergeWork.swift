import Base
import Foundation
import Layers
import Messages
import Models
import Numerics
import Resources
import Storage
import Training

/// Makes an adapter part of its base: a whole model is written, its logits are compared with those
/// of base and adapter on rows of a version, and it is registered.
final class MergeWork: JobWork {
    /// What merging is made of, found before work begins.
    struct Parts: Sendable {
        let spec: MergeSpec
        let model: ModelRecord
        /// The recipe that the adapter was trained by: it says how the base was kept.
        let recipe: TrainingRecipe
        /// The folder of the adapter.
        let adapter: String
        let version: DatasetVersion
        let output: ModelName
        let lineage: Lineage
        let backend: CPUBackend
    }

    private let order: JobOrder
    private let parts: Parts
    private let registry: ModelRegistry
    private let library: RowLibrary
    private var merge: AdapterMerge?
    private var model: LoadedModel?
    private var isWritten = false
    private var retries = 0

    init(_ order: JobOrder, _ parts: Parts, _ registry: ModelRegistry, _ library: RowLibrary) {
        (self.order, self.parts) = (order, parts)
        (self.registry, self.library) = (registry, library)
    }

    private var folder: String { "\(registry.store.folder)/models/\(parts.output.id)" }
    private var partial: String { "\(order.folder)/merged" }

    func validate() async throws -> WorkTurn {
        let control = order.control
        do {
            for split in [SplitKind.train, .validation]
            where try library.kept(split, of: parts.version) == nil {
                try await library.fetch(split, of: parts.version) { _ in try control.check() }
                return WorkTurn(progress: .with { $0.phase = "fetching rows" })
            }
        } catch let error as TrainerError where error.isOutage {
            retries += 1
            try await control.sleep(seconds: min(0.1 * Double(1 << min(retries, 6)), 5))
            return WorkTurn(progress: .with { $0.phase = "waiting for the dataset service" })
        }
        let model = try LoadedModel(
            folder: parts.model.folder, parts.recipe.resolved().weightPlan, on: parts.backend)
        var merge = AdapterMerge(
            try Adapter(folder: parts.adapter, for: model), in: model, base: parts.model.folder)
        merge.type = parts.spec.type
        (self.model, self.merge) = (model, merge)
        return WorkTurn(progress: .with { $0.phase = "merging" }, isLast: true)
    }

    func advance() async throws -> WorkTurn {
        guard let merge, let model else { throw JobControl.Interrupted() }
        // A kill may have come between the registration and its telling.
        if try await registry.registered(parts.output)?.folder == folder {
            return WorkTurn(isLast: true)
        }
        let files = FileManager.default
        guard isWritten else {
            try? files.removeItem(atPath: partial)
            try files.createDirectory(atPath: partial, withIntermediateDirectories: true)
            try merge.write(to: partial)
            isWritten = true
            return WorkTurn(progress: .with { ($0.phase, $0.doneShare) = ("comparing", 0.5) })
        }
        let found: AdapterMerge.Comparison
        do {
            found = try merge.check(
                partial, on: try inputs(model), tolerance: Float(parts.spec.differenceMax))
        } catch {
            try? files.removeItem(atPath: partial)
            throw error
        }
        try files.createDirectory(
            atPath: "\(registry.store.folder)/models", withIntermediateDirectories: true)
        try? files.removeItem(atPath: folder)
        try files.moveItem(atPath: partial, toPath: folder)
        try await registry.adopt(folder, as: parts.output, lineage)
        return WorkTurn(events: [.evaluation(Self.event(found))], isLast: true)
    }

    /// Rows that nothing was learned from come first.
    private func inputs(_ model: LoadedModel) throws -> [ModelInput] {
        guard let train = try library.kept(.train, of: parts.version),
            let validation = try library.kept(.validation, of: parts.version)
        else { throw RowPackError.damaged(row: 0) }
        let rows = VersionRows(parts.version, library, train: train, validation: validation)
        let encoder = RowEncoder(
            model.inputs, parts.recipe, tokensMax: model.model.decoder.config.lengthMax)
        let places = [RowSplit.validation, .train].flatMap { split in
            (0..<rows.count(of: split)).map { (split, $0) }
        }
        return try places.prefix(parts.spec.rows).compactMap { split, index in
            let outline = try rows.outline(index, of: split)
            guard case .fits(let facts) = try encoder.budget(of: outline, index: index) else {
                return nil
            }
            return try encoder.input(rows.row(index, of: split, epoch: 0), facts.shortening)
        }
    }

    private static func event(_ found: AdapterMerge.Comparison) -> EvaluationEvent {
        let measures = [
            ("logit_difference", Double(found.largestDifference)),
            ("logit_max", Double(found.largestLogit)),
            ("same_top_token", Double(found.sameTokens) / Double(max(found.rows, 1))),
        ]
        var event = EvaluationEvent()
        event.measures = measures.map { name, value in
            .with {
                ($0.name, $0.value, $0.sampleCount) = (name, value, UInt64(found.rows))
                $0.higherIsBetter = name == "same_top_token"
            }
        }
        return event
    }

    /// Merging begins anew.
    func save() -> [JobEvent.Body] { [] }

    func result() -> WorkResult {
        var result = WorkResult()
        (result.outputModel, result.lineage) = ("\(parts.output)", lineage)
        return result
    }

    private var lineage: Lineage {
        var lineage = parts.lineage
        lineage.job = "\(order.name)"
        return lineage
    }
}

extension MergeSpec {
    /// Rows that are compared.
    fileprivate var rows: Int { checkRows == 0 ? 32 : Int(checkRows) }

    fileprivate var differenceMax: Double {
        if logitDifferenceMax > 0 { return logitDifferenceMax }
        return outputWeightFormat == .float32 ? 0.001 : 0.05
    }

    fileprivate var type: DType? {
        switch outputWeightFormat {
        case .float32: .float32
        case .bfloat16: .bfloat16
        default: nil
        }
    }
}

extension TrainerShop {
    /// Checks a merge and finds what it is made of.
    func parts(_ spec: MergeSpec) async throws -> MergeWork.Parts {
        let field = "spec.merge.adapter"
        let name = try await checkpoint(spec.adapter, field: field)
        let job = try await registry.store.reader.read { db in try db.job(name.job) }
        guard case .train(let train)? = job.stored.spec?.work, train.method != .full else {
            throw ResourceError.invalid(
                field: field, seen: "\(name)", allowed: "a checkpoint with an adapter is allowed")
        }
        let model = try await registry.model(
            ModelName(
                spec.model.isEmpty ? train.model : spec.model, field: "spec.merge.model"))
        guard let folder = try await folder(ofAdapter: "\(name)", field: field, of: model) else {
            throw ResourceError.required(field: field)
        }
        try check(spec)
        let id =
            spec.outputModelID.isEmpty
            ? String("\(model.name.id)-\(name.job.id)".prefix(63)) : spec.outputModelID
        guard ModelName.isValid(id) else {
            throw ResourceError.invalid(
                field: "spec.merge.output_model_id", seen: id,
                allowed: "[a-z][a-z0-9.-]{0,62} is allowed")
        }
        let version = try await library.datasets.version(
            VersionName(
                spec.checkVersion.isEmpty ? train.datasetVersion : spec.checkVersion,
                field: "spec.merge.check_version"))
        var lineage = job.stored.lineage ?? Lineage()
        lineage.checkpoint = "\(name)"
        return MergeWork.Parts(
            spec: spec, model: model, recipe: try RecipeReader(train).recipe(), adapter: folder,
            version: version, output: ModelName(id: id), lineage: lineage, backend: backend)
    }

    private func check(_ spec: MergeSpec) throws {
        try FieldRules.range("spec.merge.check_rows", spec.checkRows, 0...1_024)
        try FieldRules.range(
            "spec.merge.logit_difference_max", spec.logitDifferenceMax, 0...1_000)
        guard [.unspecified, .float32, .bfloat16].contains(spec.outputWeightFormat) else {
            throw ResourceError.invalid(
                field: "spec.merge.output_weight_format",
                seen: spec.outputWeightFormat.plainName,
                allowed: "FLOAT32, BFLOAT16 or none is allowed; quantise the result")
        }
        guard spec.gate?.disabled ?? true else {
            throw ResourceError.invalid(
                field: "spec.merge.gate", seen: "a gate",
                allowed: "a disabled gate is allowed by this release: the logits decide")
        }
    }

    /// The merge with what it leaves open filled in; its output must be free.
    func checked(_ merge: MergeSpec, in spec: JobSpec) async throws -> CheckedJob {
        let parts = try await parts(merge)
        guard try await registry.registered(parts.output) == nil else {
            throw ResourceError.exists(name: "\(parts.output)")
        }
        var (spec, completed) = (spec, merge)
        (completed.model, completed.checkVersion) = ("\(parts.model.name)", parts.version.name)
        completed.outputModelID = parts.output.id
        spec.work = .merge(completed)
        return CheckedJob(spec: spec, lineage: parts.lineage)
    }
}

extension ModelRegistry {
    /// The model of a name; nil if there is none.
    func registered(_ name: ModelName) async throws -> ModelRecord? {
        try await store.reader.read { db in
            try db.models("WHERE name = ?", .text(name.id)).first
        }
    }
}
