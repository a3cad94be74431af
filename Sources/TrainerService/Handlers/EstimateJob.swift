import Base
import Glibc
import Images
import Messages
import Models
import Numerics
import RPC
import Resources
import Storage
import Training

/// Memory of this machine.
enum HostMemory {
    static var bytes: Int {
        Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}

/// `EstimateJob`: what a training job needs, by part, from the rows that it will see.
struct EstimateJob: Sendable {
    let shop: TrainerShop

    func callAsFunction(_ request: EstimateJobRequest) async throws -> EstimateJobResponse {
        guard case .train(let spec)? = request.spec?.work else {
            throw request.spec?.work == nil
                ? ResourceError.required(field: "spec.train")
                : TrainerError.notBuilt(what: "estimating \(request.spec?.workName ?? "") jobs")
        }
        guard !request.measure || request.assumedRowTokens == 0 else {
            throw ResourceError.invalid(
                field: "measure", seen: "true",
                allowed: "false is allowed with assumed_row_tokens: there are no rows to run")
        }
        let device = request.spec?.device ?? ""
        guard device.isEmpty || shop.devices.contains(device) else {
            throw TrainerError.deviceAbsent(seen: device, known: shop.devices)
        }
        let parts = try await shop.parts(spec)
        var response = EstimateJobResponse()
        let rows =
            request.assumedRowTokens > 0
            ? assumed(request, parts) : try await CountedRows(parts, shop.library)
        do {
            let checked = try parts.recipe.validated(for: parts.shape.outline, rows: rows.facts)
            response.notes = checked.notes.map {
                Problem(.unspecified, field: "spec.train.\($0.field)", $0.message)
            }
        } catch {
            response.problems = [Problem(TrainerError(error))]
        }
        let recipe = parts.recipe.resolved(longestRow: rows.facts.longestRow)
        response.estimate = try await estimate(request.spec ?? JobSpec(), parts, rows)
        if request.measure, response.problems.isEmpty, response.estimate?.fits == true {
            let measured = try await MeasuredSteps(shop, parts)
            let price = request.spec?.pricePerHour ?? shop.pricePerHour
            response.estimate?.take(
                measured.secondsPerToken, "measured on this device", rows, parts.recipe.epochs,
                price: price, request.spec?.currency ?? "")
        }
        var completed = request.spec ?? JobSpec()
        completed.device = device.isEmpty ? shop.devices[0] : device
        completed.work = .train(spec.completed(by: recipe))
        response.spec = completed
        return response
    }

    /// What a job on counted rows will need.
    func estimate(
        _ spec: JobSpec, _ parts: TrainWork.Parts, _ rows: CountedRows
    ) async throws -> JobEstimate {
        let recipe = parts.recipe.resolved(longestRow: rows.facts.longestRow)
        var estimate = try estimate(recipe, parts, rows, hostBytesMax: spec.hostBytesMax)
        if !estimate.fits { estimate.alternatives = try alternatives(recipe, parts, rows) }
        try await time(&estimate, spec, recipe, parts, rows)
        return estimate
    }

    private func assumed(
        _ request: EstimateJobRequest, _ parts: TrainWork.Parts
    ) -> CountedRows {
        let tokens = Int(request.assumedRowTokens)
        let row = RowFacts(
            index: 0, id: "assumed", tokens: tokens, trainedTokens: max(1, tokens / 8),
            images: (1, Int(request.assumedImageTokens)))
        let count = min(max(1, Int(clamping: request.assumedRowCount)), 1_000_000)
        return CountedRows(
            facts: DatasetFacts(train: Array(repeating: row, count: count), validation: [row]))
    }

    private func memory(
        _ recipe: TrainingRecipe, _ parts: TrainWork.Parts, _ rows: CountedRows
    ) throws -> MemoryEstimate {
        let (batch, microBatches, _) = try rows.worstBatch(recipe, parts)
        return MemoryEstimate(
            parts.shape.outline, recipe, batch: batch, microBatches: microBatches)
    }

    private func estimate(
        _ recipe: TrainingRecipe, _ parts: TrainWork.Parts, _ rows: CountedRows,
        hostBytesMax: UInt64
    ) throws -> JobEstimate {
        let memory = try memory(recipe, parts, rows)
        var estimate = JobEstimate()
        estimate.memory = memory.shares.map { share in
            .with {
                ($0.part, $0.formula) = (MemoryPart(share.use), share.formula)
                $0.hostBytes = UInt64(clamping: share.bytes)
            }
        }
        estimate.peakHostBytes = UInt64(clamping: memory.hostBytes)
        estimate.peakDeviceBytes = UInt64(clamping: memory.deviceBytes)
        let machine = UInt64(clamping: HostMemory.bytes)
        let host = hostBytesMax > 0 ? min(machine, hostBytesMax) : machine
        let sizes = [("cpu", host)] + [24, 40, 80].map { ("\($0) GB", UInt64($0) << 30) }
        estimate.devices = sizes.map { name, bytes in
            let need = name == "cpu" ? estimate.peakHostBytes : estimate.peakDeviceBytes
            return .with {
                ($0.device, $0.memoryBytes, $0.fits) = (name, bytes, need <= bytes)
                $0.microBatchTokensMax =
                    need <= bytes
                    ? UInt32(clamping: recipe.batch.microBatchTokensMax ?? 0) : 0
                $0.deviceCount = UInt32(clamping: (need + bytes - 1) / max(bytes, 1))
            }
        }
        estimate.fits = estimate.devices[0].fits
        let steps = (Double(rows.facts.train.count) / Double(recipe.batch.rowsPerStep)).rounded(.up)
        estimate.stepCount = UInt64(max(0, (steps * recipe.epochs).rounded(.up)))
        estimate.trainedParameterCount = UInt64(memory.trainedCount)
        estimate.trainedParameterShare =
            Double(memory.trainedCount) / Double(max(memory.modelCount, 1))
        estimate.rowTokens = .init("row_tokens", rows.facts.train.map(\.tokens))
        estimate.rowImageTokens = .init("row_image_tokens", rows.facts.train.map(\.imageTokens))
        let long = rows.facts.rejected + rows.facts.skipped
        estimate.overlengthRowCount = UInt64(long.count)
        estimate.overlengthRows = long.sorted { $0.tokens > $1.tokens }.prefix(100).map { row in
            .with { ($0.name, $0.itemCount) = (row.id, UInt64(row.tokens)) }
        }
        estimate.worstBatch = try rows.worstBatch(recipe, parts).rows
        // Weights and two moments of each, in best and last besides those kept.
        let perCheckpoint = UInt64(memory.trainedCount) * 12
        estimate.diskBytes = perCheckpoint * UInt64(2 + recipe.checkpointsKept)
        return estimate
    }

    /// Ways that need less, each with what it needs.
    private func alternatives(
        _ recipe: TrainingRecipe, _ parts: TrainWork.Parts, _ rows: CountedRows
    ) throws -> [JobAlternative] {
        let ways: [(RunMethod, Bool)] = [
            (recipe.method, true), (.lora, true), (.qlora, false), (.qlora, true),
        ]
        return try ways.map { method, recomputes in
            var other = recipe
            (other.method, other.batch.recomputes) = (method, recomputes)
            let bytes = UInt64(clamping: try memory(other, parts, rows).deviceBytes)
            return .with {
                $0.method = [.lora: .lora, .qlora: .qlora, .full: .full][method] ?? .unspecified
                ($0.recomputeActivations, $0.peakDeviceBytes) = (recomputes, bytes)
                $0.microBatchTokensMax = UInt32(
                    clamping: recipe.batch.microBatchTokensMax ?? 0)
                $0.fittingDevices = [24, 40, 80].filter { bytes <= UInt64($0) << 30 }
                    .map { "\($0) GB" }
            }
        }
    }

    /// Time from jobs that ran here with the same model and method.
    private func time(
        _ estimate: inout JobEstimate, _ spec: JobSpec, _ recipe: TrainingRecipe,
        _ parts: TrainWork.Parts, _ rows: CountedRows
    ) async throws {
        let past = try await shop.registry.store.reader.read { db in
            try db.jobs(
                "WHERE state = ? ORDER BY end_ns DESC LIMIT 100",
                SQLValue(Int(JobState.succeeded.rawValue)))
        }
        let alike = past.first { job in
            guard case .train(let train)? = job.stored.spec?.work else { return false }
            let method = [.lora: .lora, .qlora: .qlora, .full: .full][train.method] as RunMethod?
            return train.model == "\(parts.model.name)" && method == recipe.method
                && job.progress.tokenCount > 0
        }
        guard let alike else { return }
        estimate.take(
            alike.progress.runningSeconds / Double(alike.progress.tokenCount), "measured here",
            rows, recipe.epochs, price: spec.pricePerHour ?? shop.pricePerHour, spec.currency)
    }
}

/// The rows of a version, counted without their images' bytes.
struct CountedRows {
    private(set) var facts = DatasetFacts()
    /// Upright sizes of the images of each train row, by its name.
    private var sizes: [String: [ImageSize]] = [:]

    init(facts: DatasetFacts) { self.facts = facts }

    init(_ parts: TrainWork.Parts, _ library: RowLibrary) async throws {
        let encoder = RowEncoder(
            parts.shape.model.inputs, parts.recipe, tokensMax: parts.shape.outline.lengthMax)
        for split in RowSplit.allCases {
            var request = StreamExamplesRequest()
            request.version = parts.version.name
            (request.split, request.omitImages) = (split == .train ? .train : .validation, true)
            let stream = try await library.datasets.rows(request)
            defer { stream.cancel() }
            var index = 0
            while let response = try await library.datasets.next(stream) {
                guard case .example(let row)? = response.part else { continue }
                let conversation = try Conversation(row)
                let outline = RowOutline(
                    id: row.example, messages: conversation.messages,
                    imageSizes: conversation.images.map {
                        ImageSize(height: Int($0.heightPixels), width: Int($0.widthPixels))
                    })
                switch try encoder.budget(of: outline, index: index) {
                case .fits(let fact): facts[split].append(fact)
                case .isOverlong(let long) where parts.recipe.overlength == .skip:
                    facts.skipped.append(long)
                case .isOverlong(let long): facts.rejected.append(long)
                }
                if split == .train { sizes[row.example] = outline.imageSizes }
                index += 1
            }
        }
    }

    /// The largest micro-batch that the longest rows make, how many a step has at most, and the
    /// names of its rows.
    func worstBatch(
        _ recipe: TrainingRecipe, _ parts: TrainWork.Parts
    ) throws -> (shape: BatchShape, microBatches: Int, rows: [String]) {
        let longest = facts.train.sorted { $0.tokens > $1.tokens }
            .prefix(recipe.batch.rowsPerStep)
        let tokensMax = recipe.batch.microBatchTokensMax ?? .max
        var shape = BatchShape(tokens: 0, trainedTokens: 0, pixels: 0)
        var rows: [String] = []
        var pixels: [ImageSize: Int] = [:]
        for row in longest where shape.tokens + row.tokens <= tokensMax || rows.isEmpty {
            shape.tokens += row.tokens
            shape.trainedTokens += row.trainedTokens
            rows.append(row.id)
            for size in sizes[row.id] ?? [] {
                if pixels[size] == nil { pixels[size] = try Self.pixels(of: size, parts) }
                shape.pixels += pixels[size] ?? 0
            }
        }
        let all = longest.reduce(0) { $0 + $1.tokens }
        let microBatches = max(1, (all + shape.tokens - 1) / max(shape.tokens, 1))
        return (shape, microBatches, Array(rows.prefix(64)))
    }

    /// What the tower sees of an image of a size: asked of a grey one.
    private static func pixels(of size: ImageSize, _ parts: TrainWork.Parts) throws -> Int {
        let bytes = [UInt8](repeating: 128, count: size.width * size.height * 3)
        guard let image = RGBImage(width: size.width, height: size.height, pixels: bytes) else {
            return 0
        }
        return try parts.shape.model.inputs.images.prepared(image).shape.count
    }
}

extension Distribution {
    /// Spread of whole numbers.
    init(_ name: String, _ values: [Int]) {
        self.init()
        let sorted = values.sorted()
        (self.name, sampleCount) = (name, UInt64(sorted.count))
        guard let last = sorted.last else { return }
        let sum = Double(sorted.reduce(0, +))
        mean = sum / Double(sorted.count)
        let squares = sorted.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
        standardDeviation = (squares / Double(max(sorted.count - 1, 1))).squareRoot()
        quantiles =
            [0, 0.05, 0.25, 0.5, 0.75, 0.95].map { share in
                Double(sorted[Int(share * Double(sorted.count - 1))])
            } + [Double(last)]
    }
}

extension MemoryPart {
    init(_ use: MemoryUse) {
        self =
            switch use {
            case .frozenWeights: .frozenWeights
            case .trainedWeights: .trainedWeights
            case .gradients: .gradients
            case .optimiser: .optimizer
            case .activations: .activations
            case .workspace: .workspace
            case .input: .input
            case .program: .program
            }
    }
}

extension JobEstimate {
    /// Takes time and cost from seconds of a token.
    fileprivate mutating func take(
        _ secondsPerToken: Double, _ basis: String, _ rows: CountedRows, _ epochs: Double,
        price: Double, _ currency: String
    ) {
        let tokens = Double(rows.facts.train.reduce(0) { $0 + $1.tokens }) * epochs
        (runningSeconds, timeBasis) = (secondsPerToken * tokens, basis)
        cost = runningSeconds / 3_600 * price
        self.currency = currency.isEmpty ? "USD" : currency
    }
}

extension JobAlternative {
    /// Such as "QLORA with recomputed activations (123456 bytes)".
    var words: String {
        method.plainName + (recomputeActivations ? " with recomputed activations" : "")
            + " (\(peakDeviceBytes) bytes)"
    }
}
