import Base
import Evaluation
import Generation
import Messages
import Models
import Numerics
import Resources
import Text
import Training

/// Scores a model in training by the answers that it writes to validation rows, as an evaluation
/// of the same rows would.
struct GeneratedScores: Sendable {
    /// Rows that are answered where a metric of answers decides and nobody says how many.
    static let rowsStandard: UInt32 = 200
    /// Intervals are not told while training, so few draws do.
    private static let draws = 100

    private let plan: MeasurePlan
    private let parts: TrainWork.Parts
    private let rows: VersionRows
    private let model: LoadedModel
    private let control: JobControl
    private let stops: Set<Int32>

    /// - Parameter model: as the run loaded it
    init(
        _ parts: TrainWork.Parts, _ rows: VersionRows, _ model: LoadedModel, _ control: JobControl
    ) throws {
        (self.parts, self.rows, self.model, self.control) = (parts, rows, model, control)
        var spec = EvaluateSpec()
        (spec.split, spec.seed) = ("validation", parts.spec.seed)
        spec.measuring = .with { $0.rowsMax = parts.spec.generatedRows }
        plan = try MeasurePlan(spec, parts.version)
        stops = try GenerationDefaults(
            folder: parts.model.folder, model.inputs.chat.tokenizer
        ).stopTokens
    }

    /// The metrics of the weights as they are now.
    func callAsFunction(_ weights: TrainedWeights) throws(RowFault) -> [String: Double] {
        do { return try scores(of: weights) } catch let fault as RowFault { throw fault } catch {
            // Answers that nobody waits for any more; the evaluation is done again.
            guard error is JobControl.Interrupted else {
                throw .unreadable(row: "validation rows", why: "\(error)")
            }
            throw .unavailable(why: "the job was asked to stop")
        }
    }

    private func scores(of weights: TrainedWeights) throws -> [String: Double] {
        guard case .adapter(let adapter) = weights else { return [:] }
        let answerer = Answerer(
            model, plan, RequestAdapter(name: "training", terms: adapter.bound), stops, control)
        var predictions: [Prediction] = []
        let strata = try (0..<rows.count(of: .validation)).map { index throws(RowFault) in
            try rows.stored(index, .validation).answer
        }
        for index in plan.chosen(strata) {
            let row = try rows.whole(index, of: .validation)
            predictions += try answerer.answers(
                [Answerer.Question(row: row, shots: [])], plan.variants[0])
        }
        let scores = try AnswerScores(
            predictions, parts.version, abstainBelow: 0,
            Bootstrap(
                key: RandomKey(seed: plan.seed).child("bootstrap"), draws: Self.draws, level: 0.95))
        return Dictionary(
            scores.estimates.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    /// Names of the metrics that rows of a version have.
    static func names(_ version: DatasetVersion) throws -> [String] {
        let judged = try AnswerScores.judge(
            [Prediction()], version, abstainBelow: 0, abstains: false)
        return (try judged.paired(with: judged) ?? []).map(\.name)
    }
}

extension TrainSpec {
    /// Validation rows that are answered at each evaluation; 0 for none.
    var generatedRows: UInt32 {
        let metric = earlyStopping?.metric ?? ""
        let needsAnswers = !metric.isEmpty && metric != "loss"
        return generatedRowsMax > 0
            ? generatedRowsMax : needsAnswers ? GeneratedScores.rowsStandard : 0
    }
}
