import Base
import Evaluation
import Foundation
import Messages
import Models
import Numerics
import Quality
import Resources

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
        /// What the result is compared with.
        var reference: ScoredRows?
        /// What is known of training on the same data.
        var history = MeasureHistory()
    }

    private static let rowsPerPiece = 4

    private let order: JobOrder
    private let parts: Parts
    private let library: RowLibrary
    private var rows: [StreamedExample] = []
    private var train: RowPack?
    private var finder: ShotFinder?
    private var shots: [Int: StreamedExample] = [:]
    /// Of every variant, then of every degradation.
    private var answers: [[Prediction]]
    private var answerer: Answerer?
    private var retries = 0

    init(_ order: JobOrder, _ parts: Parts, _ library: RowLibrary) {
        (self.order, self.parts, self.library) = (order, parts, library)
        let count = parts.plan.variants.count + parts.plan.degradations.count
        answers = Array(repeating: [], count: count)
    }

    // MARK: Before the device works

    func validate() async throws -> WorkTurn {
        let control = order.control
        let wanted: [SplitKind] = shotsMax > 0 ? [parts.plan.split, .train] : [parts.plan.split]
        do {
            for split in wanted where try library.kept(split, of: parts.version) == nil {
                try await library.fetch(split, of: parts.version) { _ in try control.check() }
                return WorkTurn(progress: progress("fetching rows"))
            }
            if rows.isEmpty {
                try await read()
                return WorkTurn(progress: progress("loading the model"))
            }
            if answerer == nil {
                answerer = try Answerer(parts, control)
                return WorkTurn(progress: progress("comparing images"))
            }
            if try await look() { return WorkTurn(progress: progress("comparing images")) }
        } catch let error as TrainerError where error.isOutage {
            retries += 1
            try await control.sleep(seconds: min(0.1 * Double(1 << min(retries, 6)), 5))
            return WorkTurn(progress: progress("waiting for the dataset service"))
        }
        answers = answers.indices.map { AnswerLog(path($0)).predictions() }
        return WorkTurn(progress: progress("answering"), isLast: true)
    }

    private var shotsMax: Int { parts.plan.variants.map(\.shots).max() ?? 0 }

    private func path(_ pass: Int) -> String { "\(order.folder)/answers-\(pass)" }

    /// Reads the rows that are asked, and what the answers of those are that may be shown.
    private func read() async throws {
        guard let pack = try library.kept(parts.plan.split, of: parts.version) else {
            throw RowPackError.damaged(row: 0)
        }
        let version = parts.version
        let isClasses = !(version.answerSchema?.classes ?? []).isEmpty
        rows = []
        for index in parts.plan.chosen(try pack.answers().map { isClasses ? $0 : "" }) {
            rows.append(try await library.whole(pack, index, of: parts.plan.split, version))
        }
        guard !rows.isEmpty else {
            throw TrainerError.splitTooSmall(
                version: version.name, split: parts.plan.split.plainName.lowercased(), rows: 0,
                rowsMin: 1)
        }
        guard shotsMax > 0, let train = try library.kept(.train, of: version) else { return }
        self.train = train
        finder = ShotFinder(
            parts.plan.selection, answers: try train.answers(),
            order: parts.plan.drawn(train.count), count: shotsMax)
    }

    /// Looks at the next train row that may be shown; false once all were looked at.
    private func look() async throws -> Bool {
        guard let finder, let train, let answerer, let place = finder.next() else { return false }
        let row = try await library.whole(train, place, of: .train, parts.version)
        finder.add(row, at: place, answerer.model)
        return true
    }

    // MARK: Work

    func advance() async throws -> WorkTurn {
        guard let pass = answers.firstIndex(where: { $0.count < rows.count }) else {
            return WorkTurn(progress: progress("scoring"), isLast: true)
        }
        guard let answerer else { preconditionFailure("MeasureWork: no model") }
        let first = answers[pass].count
        let end = min(first + Self.rowsPerPiece, rows.count)
        let variant = try variant(pass)
        var questions: [Answerer.Question] = []
        for row in rows[first..<end] {
            let places = finder?.shots(variant.shots, for: row, answerer.model) ?? []
            questions.append(Answerer.Question(row: row, shots: try await shown(places)))
        }
        let new = try answerer.answers(questions, variant)
        try AnswerLog(path(pass)).append(new)
        answers[pass] += new
        return WorkTurn(progress: progress("answering"))
    }

    /// The variant of a pass; degradations are asked in the way that came out best.
    private func variant(_ pass: Int) throws -> MeasurePlan.Variant {
        let variants = parts.plan.variants
        guard pass >= variants.count else { return variants[pass] }
        var variant = variants[try best(scored())]
        variant.degradation = pass - variants.count
        return variant
    }

    /// The train rows at these places, read once.
    private func shown(_ places: [Int]) async throws -> [StreamedExample] {
        var found: [StreamedExample] = []
        for place in places {
            if let known = shots[place] {
                found.append(known)
            } else if let train {
                let row = try await library.whole(train, place, of: .train, parts.version)
                // Fixed shots are few; of nearest ones no more than the rows asked are kept.
                if shots.count >= Self.shotsKept { shots.removeAll() }
                shots[place] = row
                found.append(row)
            }
        }
        return found
    }

    private static let shotsKept = 256

    /// Answers are kept as they come.
    func save() -> [JobEvent.Body] { [] }

    // MARK: Scoring

    private var kept: [Int: ScoredVariant] = [:]

    /// Every variant that counts, scored, by its place.
    private func scored() throws -> [Int: ScoredVariant] {
        for index in parts.plan.scored where kept[index] == nil {
            kept[index] = try ScoredVariant(answers[index], parts, rows)
        }
        return kept
    }

    /// The place of the best one; of equal ones the first.
    private func best(_ scored: [Int: ScoredVariant]) -> Int {
        scored.keys.max { a, b in
            ((scored[a]?.main ?? 0), b) < ((scored[b]?.main ?? 0), a)
        } ?? 0
    }

    func result() throws -> WorkResult {
        let scored = try scored()
        let place = best(scored)
        guard let chosen = scored[place] else { preconditionFailure("MeasureWork: no answers") }
        var judged = try JudgedMeasure(chosen, parts, rows)
        judged.table = parts.plan.isBaseline ? table(scored) : []
        judged.spread = try spread(scored)
        judged.robustness = try robustness(chosen)
        var stored = judged.stored(
            named: "\(order.name)/evaluations/main", inconsistency(of: place))
        stored.evaluation.lineage = lineage
        stored.evaluation.artifacts = ["report", "predictions"].map {
            "\(order.name)/artifacts/\($0)"
        }
        let report = try MeasureReport(judged, stored, parts).write(
            "\(order.folder)/artifacts/report", job: order.name, lineage)
        var result = WorkResult()
        let lines = try PredictionLines(stored.predictions).write(
            "\(order.folder)/artifacts/predictions", job: order.name, lineage)
        (result.evaluations, result.artifacts) = ([stored], [report, lines])
        result.lineage = lineage
        return result
    }

    /// The table of a baseline: a line for each way of asking.
    private func table(_ scored: [Int: ScoredVariant]) -> [PromptScore] {
        scored.keys.sorted().map { index in
            let variant = parts.plan.variants[index]
            return .with {
                ($0.prompt, $0.shotCount) = (variant.prompt, UInt32(variant.shots))
                $0.constrained = variant.isConstrained
                $0.measures = scored[index]?.measures ?? []
                $0.inconsistency = inconsistency(of: index)
            }
        }
    }

    /// Of the rows, those answered differently when asked again; nil if they were asked once.
    private func inconsistency(of variant: Int) -> Measure? {
        let rounds = parts.plan.rounds(of: variant)
        guard rounds.count > 1 else { return nil }
        let all = rows.indices.map { row in rounds.map { answers[$0][row].answer } }
        let rules = (parts.version.answerSchema?.fieldRules ?? []).map { Quality.FieldRule($0) }
        let share = PromptSteadiness.inconsistency(
            all, rules: rules, level: kept[variant]?.level ?? 0.95)
        return Estimate("inconsistency", share, higherIsBetter: false).map { Measure($0) }
    }

    /// Over the prompts with fewest shots, answered freely.
    private func spread(_ scored: [Int: ScoredVariant]) throws -> Estimate? {
        let variants = parts.plan.variants
        let fewest = variants.map(\.shots).min() ?? 0
        let isHeld = variants.allSatisfy(\.isConstrained)
        let same = scored.keys.sorted().filter {
            variants[$0].shots == fewest && variants[$0].isConstrained == isHeld
        }
        return try PromptSteadiness.spread(
            same.compactMap { scored[$0]?.scores.rows }, bootstrap: parts.bootstrap())
    }

    private func robustness(_ plain: ScoredVariant) throws -> [Robustness] {
        try parts.plan.degradations.enumerated().compactMap { index, step in
            let pass = parts.plan.variants.count + index
            let degraded = try ScoredVariant(answers[pass], parts, rows)
            return try Robustness(
                transform: step.transform.name, strength: 1, plain: plain.scores.rows,
                degraded: degraded.scores.rows, bootstrap: parts.bootstrap())
        }
    }

    private var lineage: Lineage {
        Lineage(
            parts.model.message, parts.version, job: order.name, seed: parts.plan.seed,
            base: parts.target.baseWeightFormat)
    }

    private func progress(_ phase: String) -> JobProgress {
        var progress = JobProgress()
        progress.phase = phase
        let done = answers.reduce(0) { $0 + $1.count }
        progress.rowCount = UInt64(done)
        progress.rowTotal = UInt64(rows.count * answers.count)
        progress.doneShare = Double(done) / Double(max(rows.count * answers.count, 1))
        progress.tokenCount = UInt64(answerer?.tokens ?? 0)
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

extension RowPack {
    /// What every row should be answered with.
    func answers() throws -> [String] {
        try (0..<count).map { index in
            guard case .example(let row)? = try row(index).part else { return "" }
            return row.answer
        }
    }
}
