package import Base

/// In which order an epoch takes its rows: a function of lengths, seed and epoch, so that any place
/// in it is found without loading a row.
///
/// Rows are shuffled, cut into stretches of `stepsTogether` steps, and within a stretch put in the
/// order of their lengths, so that the rows of a step are about as long as each other; then the
/// steps are shuffled. A row's length decides no more than its neighbours within a stretch.
package struct EpochOrder: Sendable, Hashable {
    /// For each step the places of its rows in `lengths`; the last row's step may be smaller.
    package let steps: [[Int]]

    /// Steps whose rows are ordered by length together.
    static let stepsTogether = 16

    /// - Parameters:
    ///   - lengths: of all rows, in tokens
    ///   - rowsPerStep: above 0
    ///   - key: of the run and the epoch
    package init(lengths: [Int], rowsPerStep: Int, key: RandomKey) {
        precondition(rowsPerStep > 0, "epoch order: \(rowsPerStep) rows a step")
        let rows = Self.shuffled(lengths.count, key.child("rows"))
        let together = rowsPerStep * Self.stepsTogether
        var steps: [[Int]] = []
        for first in stride(from: 0, to: rows.count, by: together) {
            let stretch = rows[first..<min(first + together, rows.count)]
            let sorted = stretch.enumerated().sorted {
                (-lengths[$0.element], $0.offset) < (-lengths[$1.element], $1.offset)
            }.map(\.element)
            for start in stride(from: 0, to: sorted.count, by: rowsPerStep) {
                steps.append(Array(sorted[start..<min(start + rowsPerStep, sorted.count)]))
            }
        }
        self.steps = Self.shuffled(steps.count, key.child("steps")).map { steps[$0] }
    }

    /// The numbers below `count` in an order that only the key decides (Fisher and Yates).
    static func shuffled(_ count: Int, _ key: RandomKey) -> [Int] {
        var order = Array(0..<count)
        for last in stride(from: count - 1, to: 0, by: -1) {
            // 64 random bits: the remainder favours no place by more than 2⁻³².
            let (low, high) = (key.word(at: 2 * last), key.word(at: 2 * last + 1))
            let bits = UInt64(high) << 32 | UInt64(low)
            order.swapAt(last, Int(bits % UInt64(last + 1)))
        }
        return order
    }
}

/// Where each step of a run is: which epoch, and which rows.
package struct RunOrder: Sendable {
    private let lengths: [Int]
    private let rowsPerStep: Int
    private let key: RandomKey
    /// Of the whole run.
    package let steps: Int
    package let stepsPerEpoch: Int
    /// The order of the epoch that was asked for last.
    private var known: (epoch: Int, order: EpochOrder)?

    /// - Parameters:
    ///   - lengths: of the train rows, in tokens
    ///   - recipe: resolved
    package init(lengths: [Int], _ recipe: TrainingRecipe) {
        (self.lengths, rowsPerStep) = (lengths, recipe.batch.rowsPerStep)
        key = RandomKey(seed: recipe.seed).child("order")
        stepsPerEpoch = (lengths.count + rowsPerStep - 1) / rowsPerStep
        steps = Int((Double(stepsPerEpoch) * recipe.epochs).rounded(.up))
    }

    /// Passes over the rows after some steps.
    package func epochs(after steps: Int) -> Double {
        Double(steps) / Double(max(stepsPerEpoch, 1))
    }

    /// Which pass a step belongs to.
    /// - Parameter step: from 0
    package func epoch(of step: Int) -> Int { step / max(stepsPerEpoch, 1) }

    /// The rows of a step, as places in `lengths`.
    /// - Parameter step: from 0 to below `steps`
    package mutating func rows(of step: Int) -> [Int] {
        let epoch = epoch(of: step)
        if known?.epoch != epoch {
            known = (
                epoch,
                EpochOrder(
                    lengths: lengths, rowsPerStep: rowsPerStep, key: key.child(epoch))
            )
        }
        return known?.order.steps[step % stepsPerEpoch] ?? []
    }
}

extension RunOrder {
    /// The micro-batch with the most tokens of the first epochs, and the most micro-batches of a
    /// step.
    /// - Parameters:
    ///   - tokensMax: of a micro-batch
    ///   - epochsMax: how many epochs are looked through
    /// - Returns: its rows, as places in the lengths
    package func worst(
        tokensMax: Int, epochsMax: Int = 8
    ) -> (rows: [Int], tokens: Int, microBatches: Int) {
        var order = self
        var worst = (rows: [Int](), tokens: 0, microBatches: 0)
        for step in 0..<min(steps, epochsMax * stepsPerEpoch) {
            let rows = order.rows(of: step)
            let batches = MicroBatches.cut(rows.map { lengths[$0] }, tokensMax: tokensMax)
            worst.microBatches = max(worst.microBatches, batches.count)
            for batch in batches {
                let tokens = rows[batch].reduce(0) { $0 + lengths[$1] }
                if tokens > worst.tokens {
                    (worst.rows, worst.tokens) = (Array(rows[batch]), tokens)
                }
            }
        }
        return worst
    }
}

/// Cuts rows into micro-batches.
package enum MicroBatches {
    /// Rows one after another, as many as fit; a row that is longer goes alone.
    /// - Parameters:
    ///   - lengths: of the rows, in tokens
    ///   - tokensMax: of a micro-batch
    package static func cut(_ lengths: [Int], tokensMax: Int) -> [Range<Int>] {
        var (batches, start, tokens) = ([Range<Int>](), 0, 0)
        for (index, length) in lengths.enumerated() {
            if index > start, tokens + length > tokensMax {
                batches.append(start..<index)
                (start, tokens) = (index, 0)
            }
            tokens += length
        }
        if start < lengths.count { batches.append(start..<lengths.count) }
        return batches
    }
}
