import Base
import Evaluation
import Messages
import Resources
import Storage

/// A tuned model that was measured.
struct TunedRound: Sendable {
    let evaluation: Messages.Evaluation
    /// How it was trained; nil where its job is gone.
    let spec: TrainSpec?
    /// Main metric against the best before it, by the paired bootstrap; nil without one on the
    /// same rows.
    let gain: Estimate?

    var score: Double { evaluation.measures.first?.value ?? 0 }
}

extension Connection {
    /// More rounds are not compared: the oldest are left out.
    private static let roundsMax = 16

    /// The tuned models measured on a test split, the oldest first, each once, with what they
    /// gained over the best before them, baselines included.
    func rounds(on split: String) throws -> [TunedRound] {
        guard !split.isEmpty else { return [] }
        let all = try evaluations("WHERE split_sha = ? ORDER BY create_ns, id", .text(split))
        let whole = try wholeModels()
        let tuned = all.filter { !$0.isBaseline && ($0.tuned(whole) != nil) }
        var last: [String: Int64] = [:]
        for record in tuned { last[record.tuned(whole) ?? ""] = record.id }
        let wanted = Set(
            tuned.filter { last[$0.tuned(whole) ?? ""] == $0.id }.suffix(Self.roundsMax).map(\.id))
        let bootstrap = try Bootstrap(key: RandomKey(seed: 0), draws: 1_000)
        var best: EvaluationRecord?
        var rounds: [TunedRound] = []
        for record in all where record.isBaseline || wanted.contains(record.id) {
            if !record.isBaseline {
                rounds.append(try round(record, whole, after: best, bootstrap))
            }
            if (record.main?.value ?? 0) > (best?.main?.value ?? -1) { best = record }
        }
        return rounds
    }

    /// How models were trained in full here, by the digest of their weights. Such a model is
    /// fetched and registered before it is scored: its digest is all that leads back to its job.
    private func wholeModels() throws -> [String: TrainSpec] {
        var found: [String: TrainSpec] = [:]
        for job in try jobs("ORDER BY id") {
            guard case .train(let spec)? = job.stored.spec?.work, spec.method == .full else {
                continue
            }
            for case .checkpoint(let told)? in try events(of: job, kind: .checkpoint).map(\.body) {
                found[told.adapterSha256] = spec
            }
        }
        return found
    }

    private func round(
        _ record: EvaluationRecord, _ whole: [String: TrainSpec], after best: EvaluationRecord?,
        _ bootstrap: Bootstrap
    ) throws -> TunedRound {
        var job: TrainingJob?
        if let name = try? CheckpointName(record.adapter, field: "adapter") {
            job = try? message(of: self.job(name.job))
        }
        var spec = whole[record.modelDigest]
        if case .train(let train)? = job?.spec?.work { spec = train }
        return TunedRound(
            evaluation: record.message, spec: spec,
            gain: try best.flatMap { try gain(of: record, over: $0, bootstrap) })
    }

    private func gain(
        of record: EvaluationRecord, over best: EvaluationRecord, _ bootstrap: Bootstrap
    ) throws -> Estimate? {
        let names = try [best, record].map { try EvaluationName($0.message.name, field: "name") }
        let rows = try names.map { try scoredRows($0).rows }
        guard rows[0].map(\.example) == rows[1].map(\.example),
            record.message.mainMetric == best.message.mainMetric
        else { return nil }
        // Free text counts rows that match; everything else is a mean of scores.
        let isExact = record.message.mainMetric == "exact_match"
        let scores = rows.map { rows in
            rows.map { isExact ? ($0.score == 1 ? 1 : 0) : $0.score }
        }
        return try ModelComparison(
            [PairedMetric("gain", .means(baseline: scores[0], candidate: scores[1]))],
            bootstrap: bootstrap
        ).differences.first?.change
    }
}

extension TrainerStore {
    /// What the result of a measured job is held against: the evaluation named, or the newest
    /// baseline on the same split; nil where there is none.
    ///
    /// - Parameter text: "jobs/{job}/evaluations/{evaluation}", or empty
    func reference(
        _ text: String, on split: String
    ) async throws -> ScoredRows? {
        let named =
            try text.isEmpty ? nil : EvaluationName(text, field: "spec.evaluate.compare_with")
        return try await reader.read { db in
            guard let named else {
                let newest = try db.evaluations(
                    "WHERE split_sha = ? AND is_baseline = 1 ORDER BY create_ns DESC, id DESC"
                        + " LIMIT 1", .text(split)
                ).first
                return try newest.map {
                    try db.scoredRows(EvaluationName($0.message.name, field: "name"))
                }
            }
            let found = try db.scoredRows(named)
            guard found.evaluation.splitSha256 == split else {
                throw TrainerError.evaluationsDiffer(
                    first: found.evaluation.splitSha256, second: split)
            }
            return found
        }
    }

    /// What was found out about a target earlier.
    func history(
        of target: EvaluationTarget, _ version: DatasetVersion, on split: String
    ) async throws -> MeasureHistory {
        let train = version.splits.first { $0.split == .train }?.splitSha256 ?? ""
        return try await reader.read { db in
            var history = MeasureHistory()
            history.roundGains = try db.rounds(on: split).compactMap(\.gain)
            history.trainScore = try db.evaluations(
                "WHERE split_sha = ? ORDER BY create_ns DESC, id DESC", .text(train)
            ).first {
                $0.message.target == target && $0.message.split == "train"
            }?.main?.value
            return history
        }
    }
}

extension EvaluationRecord {
    /// The adapter that was scored; empty for a model alone.
    var adapter: String { message.target?.adapter ?? "" }

    /// The digest of the weights of the model below.
    var modelDigest: String { message.lineage?.modelSha256 ?? "" }

    /// What was tuned: an adapter, or a model that was trained in full; nil for a plain base.
    ///
    /// - Parameter whole: models trained in full, by the digest of their weights
    func tuned(_ whole: [String: TrainSpec]) -> String? {
        guard adapter.isEmpty else { return adapter }
        return whole[modelDigest] == nil ? nil : modelDigest
    }

    /// The main metric.
    var main: Estimate? { message.measures.first.map { Estimate($0) } }
}
