import Base
import Evaluation
import Foundation
import Generation
import Images
import Layers
import Messages
import Models
import Numerics
import Resources
import Text
import Training

/// Asks a model the rows of a split, in one or several ways, and scores its answers. Answers are
/// kept as they come, so that a job goes on where it was.
final class MeasureWork: JobWork {
    /// What measuring is made of.
    struct Parts: Sendable {
        let plan: MeasurePlan
        let target: EvaluationTarget
        let model: ModelRecord
        let version: DatasetVersion
        /// The folder of the adapter; nil for none.
        let adapter: String?
        let backend: CPUBackend
    }

    private static let rowsPerPiece = 4

    private let order: JobOrder
    private let parts: Parts
    private let library: RowLibrary
    private var rows: [StreamedExample] = []
    private var shots: [StreamedExample] = []
    private var answers: [[Prediction]]
    private var model: LoadedModel?
    private var adapter: RequestAdapter?
    private var stops: Set<Int32> = []
    private var retries = 0
    private var tokens = 0

    init(_ order: JobOrder, _ parts: Parts, _ library: RowLibrary) {
        (self.order, self.parts, self.library) = (order, parts, library)
        answers = parts.plan.variants.map { _ in [] }
    }

    // MARK: Before the device works

    func validate() async throws -> WorkTurn {
        let control = order.control
        let wanted: [SplitKind] = needsShots ? [parts.plan.split, .train] : [parts.plan.split]
        do {
            for split in wanted where try library.kept(split, of: parts.version) == nil {
                try await library.fetch(split, of: parts.version) { _ in try control.check() }
                return WorkTurn(progress: progress("fetching rows"))
            }
            if rows.isEmpty {
                try await read()
                return WorkTurn(progress: progress("loading the model"))
            }
        } catch let error as TrainerError where error.isOutage {
            retries += 1
            try await control.sleep(seconds: min(0.1 * Double(1 << min(retries, 6)), 5))
            return WorkTurn(progress: progress("waiting for the dataset service"))
        }
        try load()
        answers = parts.plan.variants.indices.map { AnswerLog(path($0)).predictions() }
        return WorkTurn(progress: progress("answering"), isLast: true)
    }

    private var needsShots: Bool { parts.plan.variants.contains { $0.shots > 0 } }

    private func path(_ variant: Int) -> String { "\(order.folder)/answers-\(variant)" }

    /// Reads the rows that are asked, and those that are shown.
    private func read() async throws {
        guard let pack = try library.kept(parts.plan.split, of: parts.version) else {
            throw RowPackError.damaged(row: 0)
        }
        let version = parts.version
        rows = []
        for index in parts.plan.chosen(of: pack.count) {
            rows.append(try await library.whole(pack, index, of: parts.plan.split, version))
        }
        guard !rows.isEmpty else {
            throw TrainerError.splitTooSmall(
                version: version.name, split: parts.plan.split.plainName.lowercased(), rows: 0,
                rowsMin: 1)
        }
        guard needsShots, let train = try library.kept(.train, of: version) else { return }
        let count = parts.plan.variants.map(\.shots).max() ?? 0
        // One class after another, in the order that the seed draws.
        var byAnswer: [String: [Int]] = [:]
        for index in parts.plan.drawn(train.count) {
            guard case .example(let row)? = try train.row(index).part else { continue }
            byAnswer[row.answer, default: []].append(index)
        }
        let queues = byAnswer.sorted { $0.key < $1.key }.map(\.value)
        var chosen: [Int] = []
        for turn in 0..<(queues.map(\.count).max() ?? 0) where chosen.count < count {
            chosen += queues.compactMap { $0.indices.contains(turn) ? $0[turn] : nil }
        }
        for index in chosen.prefix(count) {
            shots.append(try await library.whole(train, index, of: .train, version))
        }
    }

    private func load() throws {
        let stored = parts.model.message.weightFormat
        let type: DType = stored == .float32 ? .float32 : .bfloat16
        let format: Numerics.WeightFormat? =
            switch parts.target.baseWeightFormat {
            case .nf4: .nf4Nested
            case .int8: .int8
            case .int4: .int4(group: 128, asymmetric: true)
            default: nil
            }
        let model = try LoadedModel(
            folder: parts.model.folder, .serving(type, format: format), on: parts.backend)
        adapter = try parts.adapter.map { folder in
            RequestAdapter(name: folder, terms: try Adapter(folder: folder, for: model).bound)
        }
        stops = try GenerationDefaults(
            folder: parts.model.folder, model.inputs.chat.tokenizer
        ).stopTokens
        self.model = model
    }

    // MARK: Work

    func advance() async throws -> WorkTurn {
        guard let variant = answers.firstIndex(where: { $0.count < rows.count }) else {
            return WorkTurn(progress: progress("scoring"), isLast: true)
        }
        let first = answers[variant].count
        let end = min(first + Self.rowsPerPiece, rows.count)
        let new = try answer(Array(rows[first..<end]), parts.plan.variants[variant])
        try AnswerLog(path(variant)).append(new)
        answers[variant] += new
        return WorkTurn(progress: progress("answering"))
    }

    /// Answers rows together, as the serving path does.
    private func answer(
        _ rows: [StreamedExample], _ variant: MeasurePlan.Variant
    ) throws -> [Prediction] {
        guard let model else { preconditionFailure("MeasureWork: no model") }
        let tokensMax = Int(parts.plan.measuring.sampling?.tokensMax ?? 0)
        var requests: [GenerationRequest?] = []
        for row in rows {
            let prompt = Prompt(row, variant, shots: shots)
            do {
                var request = GenerationRequest(
                    try prompt.input(model), tokensMax: tokensMax == 0 ? 512 : tokensMax,
                    stopTokens: stops)
                (request.adapter, request.topLogProbabilities) = (adapter, 0)
                requests.append(request)
            } catch ModelError.tooLong {
                // A prompt that does not fit is a way to ask that does not work.
                requests.append(nil)
            }
        }
        let results = try generate(requests.compactMap { $0 }, model)
        var next = results.makeIterator()
        return zip(rows, requests).map { row, request in
            prediction(row, request == nil ? nil : next.next() ?? nil)
        }
    }

    private func generate(
        _ requests: [GenerationRequest], _ model: LoadedModel
    ) throws -> [GenerationResult?] {
        guard !requests.isEmpty else { return [] }
        let lengthMax = model.model.decoder.config.lengthMax
        let pages = requests.reduce(0) { sum, request in
            let rows = min(request.input.ids.count + request.tokensMax, lengthMax + 64)
            return sum + BlockTable.pages(forRows: max(rows, 1), pageRows: 64)
        }
        let generator = Generator(model, SchedulerLimits(pages: pages, pageRows: 64))
        let numbers = try requests.map { try generator.submit($0) }
        var found: [Int: GenerationResult] = [:]
        while !generator.isIdle {
            try order.control.check()
            for event in generator.step() {
                if let result = event.result { found[event.request] = result }
            }
        }
        tokens += found.values.reduce(0) { $0 + $1.ids.count }
        return numbers.map { found[$0] }
    }

    private func prediction(_ row: StreamedExample, _ result: GenerationResult?) -> Prediction {
        var prediction = Prediction()
        (prediction.example, prediction.expected) = (row.example, row.answer)
        guard let result else {
            prediction.finishReason = .length
            return prediction
        }
        prediction.answer = result.text
        let sum = result.logProbabilities.reduce(0) { $0 + $1.logProbability }
        prediction.logProbability = sum
        prediction.confidence = exp(sum / Double(max(result.logProbabilities.count, 1)))
        prediction.finishReason = result.finish == .length ? .length : .stop
        return prediction
    }

    /// Answers are kept as they come.
    func save() -> [JobEvent.Body] { [] }

    func result() throws -> WorkResult {
        let scored = try parts.plan.variants.indices.map {
            try ScoredVariant(answers[$0], parts, rows)
        }
        let ordered = scored.indices.sorted { a, b in
            (scored[b].main, a) < (scored[a].main, b)
        }
        var stored = try scored[ordered[0]].stored(named: "\(order.name)/evaluations/main")
        if parts.plan.isBaseline {
            stored.evaluation.prompts = zip(parts.plan.variants, scored).map { variant, score in
                .with {
                    ($0.prompt, $0.shotCount) = (variant.prompt, UInt32(variant.shots))
                    $0.measures = score.measures
                }
            }
            let fewest = parts.plan.variants.map(\.shots).min() ?? 0
            let same = zip(parts.plan.variants, scored).filter { $0.0.shots == fewest }
            let spread = try PromptSteadiness.spread(
                same.map(\.1.scores.rows), bootstrap: parts.bootstrap())
            stored.evaluation.promptSpread = spread.map { Measure($0) }
        }
        stored.evaluation.lineage = lineage
        stored.evaluation.artifacts = ["\(order.name)/artifacts/report"]
        let report = try report(stored.evaluation, scored[ordered[0]])
        var result = WorkResult()
        (result.evaluations, result.artifacts, result.lineage) = ([stored], [report], lineage)
        return result
    }

    private var lineage: Lineage {
        Lineage(
            parts.model.message, parts.version, job: order.name, seed: parts.plan.seed,
            base: parts.target.baseWeightFormat)
    }

    /// A page of HTML that needs nothing else.
    private func report(
        _ evaluation: Messages.Evaluation, _ scored: ScoredVariant
    ) throws -> ArtifactSummary {
        var page = ReportPage(title: "\(order.name)")
        page.facts = [
            ("model", "\(parts.model.name)"), ("adapter", parts.target.adapter),
            ("dataset version", parts.version.name), ("split", evaluation.split),
            ("split digest", evaluation.splitSha256),
        ]
        page.measures = scored.scores.estimates
        (page.classification, page.fields) = (
            scored.scores.classification, scored.scores.fields
        )
        page.prompts = evaluation.prompts.map { prompt in
            ReportPage.Prompt(
                name: prompt.prompt?.promptID ?? "", shots: Int(prompt.shotCount),
                isConstrained: false, measures: prompt.measures.map { Estimate($0) })
        }
        let folder = "\(order.folder)/artifacts/report"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        try page.html.write(toFile: "\(folder)/index.html", atomically: true, encoding: .utf8)
        return try ArtifactFiles(folder: folder, kind: .report).summary(
            named: "\(order.name)/artifacts/report", lineage)
    }

    private func progress(_ phase: String) -> JobProgress {
        var progress = JobProgress()
        progress.phase = phase
        let done = answers.reduce(0) { $0 + $1.count }
        progress.rowCount = UInt64(done)
        progress.rowTotal = UInt64(rows.count * answers.count)
        progress.doneShare = Double(done) / Double(max(rows.count * answers.count, 1))
        progress.tokenCount = UInt64(tokens)
        return progress
    }
}

extension MeasureWork.Parts {
    func bootstrap() throws -> Bootstrap {
        let spec = plan.measuring
        return try Bootstrap(
            key: RandomKey(seed: plan.seed).child("bootstrap"),
            draws: spec.bootstrapDraws == 0 ? 2_000 : Int(spec.bootstrapDraws),
            level: spec.confidenceLevel == 0 ? 0.95 : spec.confidenceLevel)
    }
}

extension StreamedExample {
    /// What the last turn of the assistant says.
    var answer: String {
        let turn = turns.last { $0.role == .assistant }
        return (turn?.parts ?? []).reduce(into: "") { text, part in
            if case .text(let piece)? = part.part { text += piece }
        }
    }
}
