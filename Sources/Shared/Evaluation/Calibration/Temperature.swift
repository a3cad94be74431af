import Foundation

/// Temperature scaling (Guo et al. 2017): logits are divided by the one number that makes the right
/// answers of a validation split most probable. The order of answers stays.
package enum Temperature {
    /// The range that is searched.
    static let logRange = -10.0...10.0

    /// Fits to classes.
    ///
    /// - Parameters:
    ///   - logits: of every row, one for each class
    ///   - classes: the right class of every row
    /// - Returns: nil without rows, where a logit is not a number, or where no temperature of e^-10
    ///   to e^10 is best, as when every row is right
    package static func fit(logits: [[Double]], classes: [Int]) -> Double? {
        guard logits.count == classes.count, !logits.isEmpty,
            zip(logits, classes).allSatisfy({ row, label in
                row.indices.contains(label) && row.allSatisfy(\.isFinite)
            })
        else { return nil }
        // The derivative of the loss by the inverse temperature rises, so its zero is halved in.
        func slope(_ logInverse: Double) -> Double {
            let inverse = exp(logInverse)
            return zip(logits, classes).reduce(0) { sum, row in
                let top = row.0.max() ?? 0
                let weights = row.0.map { exp(inverse * ($0 - top)) }
                let mean = zip(weights, row.0).reduce(0) { $0 + $1.0 * $1.1 }
                return sum + mean / weights.reduce(0, +) - row.0[row.1]
            }
        }
        var (low, high) = (logRange.lowerBound, logRange.upperBound)
        guard slope(low) < 0, slope(high) > 0 else { return nil }
        for _ in 0..<80 {
            let middle = (low + high) / 2
            if slope(middle) < 0 { low = middle } else { high = middle }
        }
        return exp(-(low + high) / 2)
    }

    /// Fits to confidences of answers, 0 to 1, that were right or wrong.
    package static func fit(confidences: [Double], isRight: [Bool]) -> Double? {
        guard confidences.count == isRight.count else { return nil }
        return fit(
            logits: confidences.map { [logit($0), 0] }, classes: isRight.map { $0 ? 0 : 1 })
    }

    /// A confidence at a temperature above 0.
    package static func scaled(_ confidence: Double, by temperature: Double) -> Double {
        1 / (1 + exp(-logit(confidence) / temperature))
    }

    /// Certainty would be infinite; a millionth less is certain enough.
    private static func logit(_ confidence: Double) -> Double {
        let kept = min(max(confidence, 1e-6), 1 - 1e-6)
        return log(kept / (1 - kept))
    }
}
