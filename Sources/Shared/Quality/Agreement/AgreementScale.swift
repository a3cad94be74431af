/// How far apart two answers are.
package enum AgreementScale: Sendable, Hashable {
    /// Equal or not.
    case nominal
    /// In the order of the table's answers, with nothing known of the steps between them.
    case ordinal
    /// The value of each answer of the table, such as 0, 0.33, 0.66 and 1.
    case interval([Double])
}

/// How much a disagreement counts in Cohen's and Fleiss' kappa and in Gwet's AC2.
package enum DisagreementWeights: Sendable, Hashable {
    /// All the same.
    case equal
    /// By the distance on the scale.
    case linear
    /// By the square of the distance.
    case quadratic
}

/// Agreement of each pair of answers: 1 for equal ones, 0 for those farthest apart.
struct PairWeights {
    let count: Int
    /// Row by row; nil if only equal answers agree.
    private let values: [Double]?

    /// A matrix of this many answers is still small.
    static let answersMax = 2_000

    static func equal(_ count: Int) -> PairWeights { PairWeights(count: count, values: nil) }

    /// 1 - (distance / largest distance) to the power 1 or 2.
    init(_ weights: DisagreementWeights, positions: [Double]) {
        guard weights != .equal, let low = positions.min(), let high = positions.max(), low < high
        else {
            self = .equal(positions.count)
            return
        }
        self.init(count: positions.count) { first, second in
            let distance = abs(positions[first] - positions[second]) / (high - low)
            return weights == .linear ? distance : distance * distance
        }
    }

    /// Krippendorff's difference functions (Computing Krippendorff's Alpha-Reliability, 2011),
    /// scaled to 1, which alpha does not notice.
    ///
    /// - Parameter margins: votes for each answer on rows with two votes or more
    init(_ scale: AgreementScale, margins: [Double]) {
        switch scale {
        case .nominal: self = .equal(margins.count)
        case .interval(let positions): self.init(.quadratic, positions: positions)
        case .ordinal:
            // The votes strictly between two answers, and half of those for the two.
            var middle: [Double] = []
            var sum = 0.0
            for margin in margins {
                middle.append(sum + margin / 2)
                sum += margin
            }
            self.init(.quadratic, positions: middle)
        }
    }

    private init(count: Int, values: [Double]?) {
        (self.count, self.values) = (count, values)
    }

    private init(count: Int, distance: (Int, Int) -> Double) {
        let values = (0..<count * count).map { 1 - distance($0 / count, $0 % count) }
        self.init(count: count, values: values)
    }

    subscript(first: Int, second: Int) -> Double {
        guard let values else { return first == second ? 1 : 0 }
        return values[first * count + second]
    }

    /// The sum of all.
    var total: Double { values?.reduce(0, +) ?? Double(count) }

    /// Σ_l w(k, l) · shares(l) for each k.
    func applied(to shares: [Double]) -> [Double] {
        guard values != nil else { return shares }
        return (0..<count).map { first in
            shares.indices.reduce(0) { $0 + self[first, $1] * shares[$1] }
        }
    }
}
