/// Agreement on one thing: all answers, a class, a field, a person or a pair of people.
package struct AgreementGroup: Sendable {
    /// "" for all, a class, a JSON pointer, an annotator, or "a|b" for a pair.
    package let key: String
    /// All coefficients that apply, the undefined ones with their reasons.
    package let coefficients: [AgreementCoefficient]
    /// Rows with two votes or more.
    package let rowCount: Int
    /// Votes on those rows.
    package let voteCount: Int
    /// Share of the most frequent answer among these votes; 0 without votes.
    package let prevalence: Double
    /// The coefficient to trust.
    package let trusted: AgreementStatistic
    /// Why, with the numbers.
    package let trustReason: String

    /// The coefficient of a kind; nil if it does not apply.
    package func coefficient(_ statistic: AgreementStatistic) -> AgreementCoefficient? {
        coefficients.first { $0.statistic == statistic }
    }
}

/// Which coefficient to trust.
///
/// 1. None defined but the percentage: that.
/// 2. One answer holds at least 80 % of the votes: Gwet's AC1. Kappa and alpha then call nearly
///    all agreement chance and swing with single votes (Feinstein and Cicchetti 1990).
/// 3. The scale is ordered, or rows have unequal numbers of votes: Krippendorff's alpha.
/// 4. Two people: Cohen's kappa, since each has margins of their own.
/// 5. Else: Fleiss' kappa.
package enum TrustRule {
    /// From this share of one answer on, kappa is not to be trusted.
    package static let prevalenceMax = 0.8
    /// With fewer rows intervals by large-sample variances are too narrow.
    package static let rowsForIntervals = 20

    static func choose(
        _ coefficients: [AgreementCoefficient], prevalence: Double, scale: AgreementScale,
        votesDiffer: Bool
    ) -> (AgreementStatistic, String) {
        let defined = Set(coefficients.filter { $0.value != nil }.map(\.statistic))
        let share = "\((prevalence * 1_000).rounded() / 10) % of votes"
        if defined.isEmpty { return (.percent, "no row has two votes") }
        if defined == [.percent] {
            return (.percent, "one answer holds \(share), no other coefficient is defined")
        }
        if prevalence >= prevalenceMax, defined.contains(.gwetAC1) {
            return (.gwetAC1, "one answer holds \(share), kappa and alpha are not steady")
        }
        if scale != .nominal, defined.contains(.krippendorffAlpha) {
            return (
                .krippendorffAlpha, "answers are ordered, and alpha counts how far apart they are"
            )
        }
        if defined.contains(.cohenKappa) {
            return (.cohenKappa, "two annotators, the most frequent answer holds \(share)")
        }
        if votesDiffer, defined.contains(.krippendorffAlpha) {
            return (.krippendorffAlpha, "rows have unequal numbers of votes")
        }
        return (.fleissKappa, "each row has the same number of votes, one answer holds \(share)")
    }
}

/// Agreement of a table as a whole and by class, pair and person.
package struct AgreementReport: Sendable {
    package let overall: AgreementGroup
    /// Most frequent first.
    package let classes: [AgreementGroup]
    package let pairs: [AgreementGroup]
    package let annotators: [AgreementGroup]
    /// Pairs of different answers to the same row, most frequent first.
    package let confusions: [AnswerConfusion]

    /// How the report is made.
    package struct Settings: Sendable {
        package var scale = AgreementScale.nominal
        package var weights = DisagreementWeights.equal
        package var level = 0.95
        /// Most classes, pairs and confusions that are named, the most frequent ones.
        package var namedMax = 100

        /// Plain classes, 95 %.
        package init() {}
    }

    /// Everything at once. Time grows with votes times classes named.
    package init(_ table: VoteTable, settings: Settings = Settings()) {
        overall = AgreementGroup(key: "", table, settings)
        let counts = table.answerCounts
        let frequent = counts.indices.filter { counts[$0] > 0 }
            .sorted { (counts[$1], $0) < (counts[$0], $1) }.prefix(settings.namedMax)
        var plain = settings
        (plain.scale, plain.weights) = (.nominal, .equal)
        classes = frequent.map {
            AgreementGroup(key: table.answers[$0], table.oneAgainstRest($0), plain)
        }
        pairs = table.busiestPairs(settings.namedMax).map { first, second in
            AgreementGroup(table, first, other: second, settings)
        }
        annotators = table.annotators.indices.map {
            AgreementGroup(table, $0, other: nil, settings)
        }
        confusions = table.confusions(settings.namedMax)
    }
}

/// How often two answers were given to the same row.
package struct AnswerConfusion: Sendable, Hashable {
    package let first: String
    package let second: String
    /// Pairs of votes.
    package let pairCount: Int
}

extension AgreementGroup {
    /// All coefficients over a table, such as that of one JSON field.
    package init(
        key: String, _ table: VoteTable,
        _ settings: AgreementReport.Settings = AgreementReport.Settings()
    ) {
        let all = AgreementCoefficients(
            table, scale: settings.scale, weights: settings.weights, level: settings.level)
        var coefficients = [all.percent, all.fleissKappa, all.krippendorffAlpha, all.gwetAC1]
        if table.annotators.count == 2 {
            let pair = PairedVotes(table, 0, other: 1, scale: settings.scale)
            coefficients.append(
                pair.cohenKappa(weights: settings.weights, level: settings.level))
        }
        let counts = table.rows.indices.map { table.votes($0).count }
        self.init(
            key: key, coefficients, table.pairedMargins, scale: settings.scale,
            rowCount: counts.count { $0 >= 2 }, votesDiffer: Set(counts).count > 1)
    }

    /// One person beside another, or beside all others.
    init(
        _ table: VoteTable, _ annotator: Int, other: Int?, _ settings: AgreementReport.Settings
    ) {
        let votes = PairedVotes(table, annotator, other: other, scale: settings.scale)
        let names = [annotator, other].compactMap { $0 }.map { table.annotators[$0] }
        self.init(
            key: names.joined(separator: "|"),
            [
                votes.percent(level: settings.level),
                votes.cohenKappa(weights: settings.weights, level: settings.level),
            ],
            votes.margins, scale: .nominal, rowCount: votes.rowCount, votesDiffer: false)
    }

    private init(
        key: String, _ coefficients: [AgreementCoefficient], _ margins: [Int],
        scale: AgreementScale, rowCount: Int, votesDiffer: Bool
    ) {
        let votes = margins.reduce(0, +)
        let prevalence = votes == 0 ? 0 : Double(margins.max() ?? 0) / Double(votes)
        (self.key, self.coefficients) = (key, coefficients)
        (self.rowCount, voteCount, self.prevalence) = (rowCount, votes, prevalence)
        let (trusted, reason) = TrustRule.choose(
            coefficients, prevalence: prevalence, scale: scale, votesDiffer: votesDiffer)
        self.trusted = trusted
        let isSmall = rowCount > 0 && rowCount < TrustRule.rowsForIntervals
        trustReason =
            reason
            + (isSmall
                ? "; only \(rowCount) rows, intervals need \(TrustRule.rowsForIntervals)" : "")
    }
}

extension VoteTable {
    /// Votes for each answer on rows with two votes or more.
    fileprivate var pairedMargins: [Int] {
        var margins = [Int](repeating: 0, count: answers.count)
        for row in rows.indices where votes(row).count >= 2 {
            for vote in votes(row) { margins[Int(choices[vote])] += 1 }
        }
        return margins
    }

    /// The pairs of people with the most rows in common.
    fileprivate func busiestPairs(_ limit: Int) -> [(Int, Int)] {
        var counts: [SIMD2<Int32>: Int] = [:]
        forEachPair { counts[SIMD2(voters[$0], voters[$1]), default: 0] += 1 }
        return counts.sorted { ($1.value, $0.key.x, $0.key.y) < ($0.value, $1.key.x, $1.key.y) }
            .prefix(limit).map { (Int($0.key.x), Int($0.key.y)) }
    }

    fileprivate func confusions(_ limit: Int) -> [AnswerConfusion] {
        var counts: [SIMD2<Int32>: Int] = [:]
        forEachPair {
            let (first, second) = (choices[$0], choices[$1])
            if first != second {
                counts[SIMD2(min(first, second), max(first, second)), default: 0] += 1
            }
        }
        return counts.sorted { ($1.value, $0.key.x, $0.key.y) < ($0.value, $1.key.x, $1.key.y) }
            .prefix(limit).map {
                AnswerConfusion(
                    first: answers[Int($0.key.x)], second: answers[Int($0.key.y)],
                    pairCount: $0.value)
            }
    }

    /// Calls `body` with each pair of votes on the same row.
    private func forEachPair(_ body: (Int, Int) -> Void) {
        for row in rows.indices {
            let range = votes(row)
            for first in range {
                for second in range where second > first { body(first, second) }
            }
        }
    }
}
