import Foundation

/// How one person answers rows whose answer is known, over time.
package struct GoldRecord: Sendable {
    /// Whether each gold row was right, oldest first.
    package let results: [Bool]
    /// Rows that count as recent.
    package let window: Int

    package init(_ results: [Bool], window: Int = 50) {
        (self.results, self.window) = (results, max(1, window))
    }

    /// All gold rows.
    package var accuracy: Share { Share(results.count { $0 }, of: results.count) }

    /// The last ones.
    package var recent: Share {
        let last = results.suffix(window)
        return Share(last.count { $0 }, of: last.count)
    }

    /// Windows side by side, the last one ending with the newest row; an older rest is left out.
    package var trend: [Share] {
        let windows = results.count / window
        let start = results.count - windows * window
        return (0..<windows).map { number in
            let slice = results[(start + number * window)..<(start + (number + 1) * window)]
            return Share(slice.count { $0 }, of: slice.count)
        }
    }

    /// Whether the recent rows are worse than those before beyond chance: Fisher's exact test,
    /// one-sided, 5 %.
    package var isDrifting: Bool { driftProbability.map { $0 <= 0.05 } ?? false }

    /// The probability of as few right answers among the recent rows if nothing had changed;
    /// nil where nothing came before them.
    package var driftProbability: Double? {
        let before = results.dropLast(min(window, results.count))
        guard !before.isEmpty else { return nil }
        return Distributions.hypergeometricAtMost(
            recent.successes, draws: recent.trials, marked: accuracy.successes,
            total: results.count)
    }
}
