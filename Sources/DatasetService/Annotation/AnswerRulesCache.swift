import Base
import Messages
import Resources
import Storage

/// Compiled answer rules of datasets, since a large schema takes longer to compile than to apply.
final class AnswerRulesCache: Sendable {
    private let kept = Lock<[Int64: (changeCount: Int, rules: AnswerRules)]>([:])

    /// The rules of a dataset with its present guidelines.
    func rules(of dataset: DatasetRecord, _ db: Connection) throws -> AnswerRules {
        if let known = kept.with({ $0[dataset.id] }), known.changeCount == dataset.changeCount {
            return known.rules
        }
        // New guidelines are a change of the dataset too, so that the count covers both.
        let guidelines = try db.guidelines(of: dataset)
        let rules = try AnswerRules(dataset.stored, guidelines)
        kept.with { kept in
            if kept.count >= Limits.answerRulesMax { kept.removeAll() }
            kept[dataset.id] = (dataset.changeCount, rules)
        }
        return rules
    }
}
