/// Whether training leaves the rails: a loss or gradient that is not a number, or a gradient far
/// above what is usual in this run.
package struct DivergenceWatch: Sendable {
    /// What was seen.
    package enum Divergence: Sendable, Hashable {
        case lossNotFinite(step: Int)
        case gradientNotFinite(step: Int)
        /// The norm, and the median of those before it.
        case gradientExploded(step: Int, norm: Double, median: Double)

        /// The step whose batch did it.
        package var step: Int {
            switch self {
            case .lossNotFinite(let step), .gradientNotFinite(let step): step
            case .gradientExploded(let step, _, _): step
            }
        }

        /// Whether nothing can come of going on.
        package var isFatal: Bool {
            if case .gradientExploded = self { return false }
            return true
        }
    }

    /// A norm is compared with the median of as many before it, at most.
    package static let window = 100
    /// Fewer norms have no usual size yet.
    package static let normsMin = 20

    /// A norm above this many medians has exploded.
    package let factor: Double
    private var norms: [Double] = []
    private var next = 0

    /// - Parameter factor: above 1
    package init(factor: Double = 10) { self.factor = max(1, factor) }

    /// The usual norm so far; nil before `normsMin` steps.
    package var median: Double? {
        norms.count < Self.normsMin ? nil : Quantiles.median(norms)
    }

    /// Looks at a step. Norms that exploded count as usual afterwards, so that a run whose
    /// gradients settle on a higher level is reported a few times and not forever.
    package mutating func check(step: Int, loss: Double, gradientNorm: Double) -> Divergence? {
        guard loss.isFinite else { return .lossNotFinite(step: step) }
        guard gradientNorm.isFinite else { return .gradientNotFinite(step: step) }
        defer { keep(gradientNorm) }
        guard let median, median > 0, gradientNorm > factor * median else { return nil }
        return .gradientExploded(step: step, norm: gradientNorm, median: median)
    }

    private mutating func keep(_ norm: Double) {
        if norms.count < Self.window { norms.append(norm) } else { norms[next] = norm }
        next = (next + 1) % Self.window
    }
}
