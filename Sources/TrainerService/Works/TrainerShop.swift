import Base
import Messages
import Models
import Numerics
import Resources
import Storage
import Training

/// Makes the works of jobs from the models and rows of this server.
struct TrainerShop: WorkShop {
    let registry: ModelRegistry
    let library: RowLibrary
    let backend: CPUBackend
    /// In US dollars an hour, where the spec says nothing else.
    let pricePerHour: Double
    let desk = Desk()

    var devices: [String] { ["cpu"] }
    private var store: TrainerStore { registry.store }

    func checked(_ spec: JobSpec) async throws -> CheckedJob {
        try await desk.run { try await check(spec) }
    }

    private func check(_ spec: JobSpec) async throws -> CheckedJob {
        var spec = spec
        if spec.device.isEmpty { spec.device = devices[0] }
        guard devices.contains(spec.device) else {
            throw TrainerError.deviceAbsent(seen: spec.device, known: devices)
        }
        if let price = spec.pricePerHour {
            try FieldRules.range("spec.price_per_hour", price, 0...1_000_000)
        } else {
            spec.pricePerHour = pricePerHour
        }
        if spec.currency.isEmpty { spec.currency = "USD" }
        switch spec.work {
        case .train(let train)?: return try await checked(train, in: spec)
        case .baseline(var baseline)?:
            let parts = try await parts(baseline)
            baseline.datasetVersion = parts.version.name
            (baseline.prompts, baseline.shotCounts) = parts.plan.asked
            spec.work = .baseline(baseline)
            return CheckedJob(spec: spec, lineage: parts.lineage)
        case .evaluate(var evaluate)?:
            let parts = try await parts(evaluate)
            evaluate.datasetVersion = parts.version.name
            evaluate.split = parts.plan.split.plainName.lowercased()
            spec.work = .evaluate(evaluate)
            return CheckedJob(spec: spec, lineage: parts.lineage)
        case .quantize?: throw TrainerError.notBuilt(what: "quantising")
        case .merge(let merge)?: return try await checked(merge, in: spec)
        case nil: throw ResourceError.required(field: "spec.work")
        }
    }

    func work(for order: JobOrder) async throws -> any JobWork {
        switch order.spec.work {
        case .train(let spec)?:
            return TrainWork(order, try await waiting(order) { try await parts(spec) }, library)
        case .baseline(let spec)?:
            return MeasureWork(order, try await waiting(order) { try await parts(spec) }, library)
        case .evaluate(let spec)?:
            return MeasureWork(order, try await waiting(order) { try await parts(spec) }, library)
        case .merge(let spec)?:
            return MergeWork(
                order, try await waiting(order) { try await parts(spec) }, registry, library)
        default: throw TrainerError.notBuilt(what: order.spec.workName)
        }
    }

    /// Tries again while the dataset service cannot be reached and nobody wants the job to stop.
    private func waiting<R>(_ order: JobOrder, _ body: () async throws -> R) async throws -> R {
        while true {
            do { return try await body() } catch let error as TrainerError where error.isOutage {
                try await order.control.sleep(seconds: 1)
            }
        }
    }

    // MARK: Training

    private func checked(_ train: TrainSpec, in spec: JobSpec) async throws -> CheckedJob {
        guard !train.force || !train.forceReason.isEmpty else {
            throw ResourceError.required(field: "spec.train.force_reason")
        }
        try FieldRules.size(
            "spec.train.force_reason", train.forceReason, ResourceLimits.reasonBytesMax)
        let parts = try await parts(train)
        try check(parts.version, parts)
        var job = CheckedJob(spec: spec)
        let recipe = try parts.checkedWithoutRows()
        var completed = train.completed(by: recipe.recipe)
        completed.datasetVersion = parts.version.name
        completed.augment = train.augment ?? (parts.version.augmentationPolicy != nil)
        // How much fits at once depends on the rows, which are counted as the job's first phase.
        completed.batch?.microBatchTokensMax = train.batch?.microBatchTokensMax ?? 0
        job.notes = recipe.notes.map { note in
            Problem(
                .unspecified, field: "spec.train.\(note.field)", seen: note.seen,
                allowed: note.allowed, note.message)
        }
        if !(train.forgetting?.disabled ?? false) {
            // The spec that is kept says what is done, not what was hoped for.
            completed.forgetting = .with { $0.disabled = true }
            job.notes.append(
                Problem(
                    .unspecified, field: "spec.train.forgetting", seen: "unset",
                    allowed: "a disabled watch",
                    "this release has no probe set: what the model forgets is not watched"))
        }
        try await checkEvidence(train, parts.version, &job)
        job.estimate = try await estimate(spec, parts)
        job.spec.work = .train(completed)
        job.lineage = Lineage(
            parts.model.message, parts.version, job: JobName(id: ""), seed: train.seed,
            base: train.method == .qlora ? .nf4 : .unspecified)
        job.lineage?.job = ""
        return job
    }

    /// Splits that training cannot do without.
    private func check(_ version: DatasetVersion, _ parts: TrainWork.Parts) throws {
        for split in [SplitKind.train, .validation] { try checkRows(split, version) }
        guard parts.spec.augment != true || version.augmentationPolicy != nil else {
            throw ResourceError.invalid(
                field: "spec.train.augment", seen: "true",
                allowed: "false is allowed, since \(version.name) was frozen without a policy")
        }
        try checkAnswers(parts)
        try checkPlainFields(parts.spec)
    }

    /// What the job will need, where its rows are few enough to be counted while somebody waits;
    /// throws where it is more than there is.
    private func estimate(_ spec: JobSpec, _ parts: TrainWork.Parts) async throws -> JobEstimate? {
        guard parts.version.exampleCount <= TrainerLimits.rowsCountedAtOnce else { return nil }
        let rows: CountedRows
        // What is wrong with a row is told when the rows are counted, as the job's first phase.
        do { rows = try await CountedRows(parts, library) } catch is RowFault { return nil }
        guard !rows.facts.train.isEmpty else { return nil }
        let estimate = try await EstimateJob(shop: self).estimate(spec, parts, rows)
        guard estimate.fits else {
            throw TrainerError.doesNotFit(
                device: spec.device, bytes: estimate.peakHostBytes,
                bytesMax: estimate.devices[0].memoryBytes,
                ways: estimate.alternatives.filter {
                    $0.peakDeviceBytes <= estimate.devices[0].memoryBytes
                }.map(\.words))
        }
        return estimate
    }

    /// Metrics of answers are known by name, and an adapter must be what writes the answers.
    private func checkAnswers(_ parts: TrainWork.Parts) throws {
        guard parts.spec.generatedRows > 0 else { return }
        let metric = parts.recipe.earlyStopping.metric
        let known = try ["loss"] + GeneratedScores.names(parts.version)
        guard known.contains(metric) else {
            throw ResourceError.invalid(
                field: "spec.train.early_stopping.metric", seen: metric,
                allowed: "one of \(known.joined(separator: ", ")) is allowed")
        }
        guard parts.recipe.method != .full else {
            throw ResourceError.invalid(
                field: "spec.train.generated_rows_max", seen: "\(parts.spec.generatedRows)",
                allowed: "0, with early stopping on the loss, is allowed with method FULL")
        }
    }

    /// Fields that change nothing here are refused rather than passed over.
    private func checkPlainFields(_ spec: TrainSpec) throws(ResourceError) {
        guard spec.preprocess == nil else {
            throw .invalid(
                field: "spec.train.preprocess", seen: "changes",
                allowed: "only the preprocessing of the model is allowed; leave it unset")
        }
        let watch = spec.forgetting ?? ForgettingWatch()
        let isSet = !watch.probeVersion.isEmpty || watch.stopDrop != nil || watch.warnDrop != nil
        guard watch.disabled || !isSet else {
            throw .invalid(
                field: "spec.train.forgetting", seen: "a watch",
                allowed: "only an unset or disabled watch is allowed by this release")
        }
    }

    /// Without enough rows, or without a baseline, training is refused unless somebody insists.
    private func checkEvidence(
        _ train: TrainSpec, _ version: DatasetVersion, _ job: inout CheckedJob
    ) async throws {
        var doubts: [TrainerError] = []
        let rows = Int(version.exampleCount - min(version.erasedCount, version.exampleCount))
        if rows < TrainerLimits.seedRowsMin {
            doubts.append(
                .advisedAgainst(
                    why: "\(version.name) has \(rows) rows, fewer than the"
                        + " \(TrainerLimits.seedRowsMin) from which tuning tends to pay"))
        }
        let test = version.splits.first { $0.split == .test }
        if try await !store.hasBaseline(on: test?.splitSha256 ?? "") {
            doubts.append(.baselineMissing(version: version.name))
        }
        if let first = doubts.first, !train.force { throw first }
        job.notes += doubts.map { Problem($0) }
    }

    func parts(_ spec: TrainSpec) async throws -> TrainWork.Parts {
        let model = try await registry.model(ModelName(spec.model, field: "spec.train.model"))
        let name = try VersionName(spec.datasetVersion, field: "spec.train.dataset_version")
        let version = try await library.datasets.version(name)
        return TrainWork.Parts(
            spec: spec, recipe: try RecipeReader(spec).recipe(), model: model,
            shape: try registry.shape(of: model), version: version,
            start: try await folder(
                ofAdapter: spec.initialAdapter, field: "spec.train.initial_adapter", of: model),
            backend: backend)
    }

    // MARK: Measuring

    private func parts(_ spec: BaselineSpec) async throws -> MeasureWork.Parts {
        let model = try await registry.model(ModelName(spec.model, field: "spec.baseline.model"))
        let version = try await library.datasets.version(
            VersionName(spec.datasetVersion, field: "spec.baseline.dataset_version"))
        let plan = try MeasurePlan(spec, version)
        try checkRows(plan.split, version)
        return MeasureWork.Parts(
            plan: plan, target: .with { $0.model = "\(model.name)" }, model: model,
            version: version, adapter: nil, backend: backend)
    }

    private func parts(_ spec: EvaluateSpec) async throws -> MeasureWork.Parts {
        guard let target = spec.target else {
            throw ResourceError.required(field: "spec.evaluate.target")
        }
        let model = try await registry.model(
            ModelName(target.model, field: "spec.evaluate.target.model"))
        let version = try await library.datasets.version(
            VersionName(spec.datasetVersion, field: "spec.evaluate.dataset_version"))
        let plan = try MeasurePlan(spec, version)
        try checkRows(plan.split, version)
        let adapter = try await folder(
            ofAdapter: target.adapter, field: "spec.evaluate.target.adapter", of: model)
        var parts = MeasureWork.Parts(
            plan: plan, target: target, model: model, version: version, adapter: adapter,
            backend: backend)
        let split = version.splits.first { $0.split == plan.split }?.splitSha256 ?? ""
        parts.reference = try await store.reference(spec.compareWith, on: split)
        parts.history = try await store.history(of: target, version, on: split)
        return parts
    }

    private func checkRows(_ split: SplitKind, _ version: DatasetVersion) throws(TrainerError) {
        let rows = version.splits.first { $0.split == split }?.exampleCount ?? 0
        guard rows > 0 else {
            throw .splitTooSmall(
                version: version.name, split: split.plainName.lowercased(), rows: 0, rowsMin: 1)
        }
    }

    /// The folder of a checkpoint's adapter; nil where none is named.
    func folder(
        ofAdapter text: String, field: String, of model: ModelRecord
    ) async throws -> String? {
        guard !text.isEmpty else { return nil }
        let name = try await checkpoint(text, field: field)
        let job = try await store.reader.read { db in try db.job(name.job) }
        let base = job.stored.lineage?.modelSha256 ?? ""
        guard base == model.message.modelSha256 else {
            throw TrainerError.baseMismatch(
                what: "\(name)", expected: "\(model.name)", seen: job.stored.lineage?.model ?? "")
        }
        let checkpoints = CheckpointStore("\(store.folder(of: name.job))/checkpoints")
        guard let path = checkpoints.path(of: name.id) else {
            throw ResourceError.notFound(
                type: "fovea.trainer.v1.Checkpoint", name: "\(name)")
        }
        return path
    }
}

extension TrainerShop {
    /// The checkpoint that a name or a digest of its adapter means.
    func checkpoint(_ text: String, field: String) async throws -> CheckpointName {
        let isDigest = text.count == 64 && text.allSatisfy(\.isHexDigit)
        return isDigest
            ? try await checkpoint(ofDigest: text.lowercased())
            : try CheckpointName(text, field: field)
    }

    /// The checkpoint whose adapter has a digest.
    private func checkpoint(ofDigest digest: String) async throws -> CheckpointName {
        let names = try await store.reader.read { db in try db.jobs("ORDER BY id DESC").map(\.name)
        }
        for job in names {
            let found = try await store.checkpoints(of: job).first { $0.adapterSha256 == digest }
            if let found { return try CheckpointName(found.name, field: "adapter") }
        }
        throw ResourceError.notFound(type: "fovea.trainer.v1.Checkpoint", name: digest)
    }
}

extension MeasureWork.Parts {
    fileprivate var lineage: Lineage {
        var lineage = Lineage(
            model.message, version, job: JobName(id: ""), seed: plan.seed,
            base: target.baseWeightFormat)
        lineage.job = ""
        return lineage
    }
}

extension MeasurePlan {
    /// Prompts and numbers of shots with the defaults in their place.
    fileprivate var asked: ([PromptVariant], [UInt32]) {
        var prompts: [PromptVariant] = []
        var shots: [UInt32] = []
        for variant in variants {
            if !prompts.contains(variant.prompt) { prompts.append(variant.prompt) }
            if !shots.contains(UInt32(variant.shots)) { shots.append(UInt32(variant.shots)) }
        }
        return (prompts, shots)
    }
}

extension TrainWork.Parts {
    /// Checks what can be known before the rows are counted: one plain row stands for them.
    func checkedWithoutRows() throws(TrainerError) -> CheckedRecipe {
        let row = RowFacts(index: 0, id: "row", tokens: 8, trainedTokens: 2)
        let rows = DatasetFacts(train: [row], validation: [row])
        do { return try recipe.validated(for: shape.outline, rows: rows) } catch {
            throw TrainerError(error)
        }
    }
}

extension TrainerError {
    /// What a recipe's problems are called in the contract.
    init(_ error: RecipeError) {
        let first = error.problems.first?.reason ?? ""
        self = .unworkable(
            reason: FailureReason(plainName: first) ?? .fieldInvalid, message: error.message,
            fields: error.problems.map {
                Field(path: "spec.train.\($0.field)", description: $0.message)
            })
    }
}

extension TrainerStore {
    /// Whether a baseline was measured on a test split.
    func hasBaseline(on splitDigest: String) async throws -> Bool {
        guard !splitDigest.isEmpty else { return false }
        return try await reader.read { db in
            try db.first(
                "SELECT 1 FROM evaluations WHERE split_sha = ? AND is_baseline = 1",
                .text(splitDigest)
            ) { $0.bool(0) } ?? false
        }
    }
}
