internal import Foundation

/// The learning rate of each step: it rises in a straight line during the warm-up, then follows a
/// curve down to a share of its peak. The numbers are those of transformers' `get_*_schedule`.
package struct Schedule: Hashable, Sendable {
    /// How the learning rate falls after the warm-up.
    package enum Curve: String, Hashable, Sendable, CaseIterable {
        case constant
        case linear
        /// Half a period of a cosine.
        case cosine
    }

    /// How long the learning rate rises.
    package enum Warmup: Hashable, Sendable {
        case steps(Int)
        /// A share of all steps, 0 to 1, rounded up to whole steps.
        case share(Double)

        fileprivate func steps(of all: Int) -> Int {
            switch self {
            case .steps(let steps): return steps
            case .share(let share):
                precondition(
                    (0...1).contains(share), "schedule: a warm-up of \(share) of all steps")
                return Int((Double(all) * share).rounded(.up))
            }
        }
    }

    /// The largest learning rate.
    package let peak: Double
    package let curve: Curve
    package let steps: Int
    package let warmupSteps: Int
    /// The share of the peak that the learning rate falls to.
    package let minimumRatio: Double

    /// - Parameters:
    ///   - peak: the learning rate at the end of the warm-up
    ///   - steps: how many there are in all, warm-up included
    ///   - minimumRatio: the share of the peak that the learning rate falls to; 0 in transformers,
    ///     except for its cosine with a minimum
    package init(
        _ curve: Curve, peak: Double, steps: Int, warmup: Warmup = .steps(0),
        minimumRatio: Double = 0
    ) {
        self.curve = curve
        self.peak = peak
        self.steps = steps
        self.minimumRatio = minimumRatio
        warmupSteps = warmup.steps(of: steps)
    }

    /// - Parameter step: 0 is the first one, whose learning rate is 0 where there is a warm-up.
    ///   After the last one the learning rate stays as it is there.
    package func learningRate(_ step: Int) -> Double { peak * factor(step) }

    /// The learning rate as a share of its peak.
    package func factor(_ step: Int) -> Double {
        if step < warmupSteps { return Double(step) / Double(max(1, warmupSteps)) }
        let progress = min(Double(step - warmupSteps) / Double(max(1, steps - warmupSteps)), 1)
        let share = remaining(progress)
        return share * (1 - minimumRatio) + minimumRatio
    }

    /// What is left to fall of a height of 1.
    private func remaining(_ progress: Double) -> Double {
        switch curve {
        case .constant: 1
        case .linear: 1 - progress
        case .cosine: 0.5 * (1 + cos(Double.pi * progress))
        }
    }
}
