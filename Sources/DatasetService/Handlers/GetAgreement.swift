import Base
import Messages
import Quality
import Resources
import Storage

extension Catalogue {
    /// `GetAgreement`.
    func agreement(_ request: GetAgreementRequest) async throws -> GetAgreementResponse {
        let name = try DatasetName(request.name, field: "name")
        let filter = try Filter(request.filter, kind: ExampleFilter.kind)
        let choice = try VoteChoice(request)
        let scan = try await scanner.read { db in
            try VoteScan(try db.dataset(name), filter, db)
        }
        return try await agreements.response(scan, choice)
    }
}

/// Which votes agreement is computed from, and how.
struct VoteChoice: Sendable {
    let level: Double
    let trendPeriods: Int
    private let annotators: Set<String>
    private let start, end: Int64

    init(_ request: GetAgreementRequest) throws(DatasetError) {
        level = request.confidenceLevel == 0 ? 0.95 : request.confidenceLevel
        guard level > 0.5, level < 1 else {
            throw .invalid(
                field: "confidence_level", seen: "\(level)",
                allowed: "above 0.5 and below 1 is allowed")
        }
        guard request.trendPeriods <= Limits.trendPeriodsMax else {
            throw .invalid(
                field: "trend_periods", seen: "\(request.trendPeriods)",
                allowed: "0 to \(Limits.trendPeriodsMax) is allowed")
        }
        trendPeriods = Int(request.trendPeriods)
        annotators = Set(request.annotators)
        start = request.startTime?.nanoseconds ?? .min
        end = request.endTime?.nanoseconds ?? .max
        guard start < end else {
            throw .fieldsConflict(
                "end_time is not after start_time", fields: ["start_time", "end_time"])
        }
    }

    func contains(_ vote: VoteScan.Cast) -> Bool {
        (annotators.isEmpty || annotators.contains(vote.annotator))
            && (start..<end).contains(vote.nanoseconds)
    }

    func contains(annotator: String) -> Bool {
        annotators.isEmpty || annotators.contains(annotator)
    }

    /// Equal periods from the first vote, or start_time, to the last vote, or end_time.
    func periods(_ times: [Int64]) -> [Range<Int64>] {
        guard trendPeriods > 0, let first = times.min(), let last = times.max() else { return [] }
        let low = start == .min ? first : start
        let high = max(end == .max ? last + 1 : end, low + 1)
        // Asked for, times may lie farther apart than 64 bits of nanoseconds reach.
        let width = (Double(high) - Double(low)) / Double(trendPeriods)
        let edges = (0...trendPeriods).map { number in
            let edge = Int64(exactly: (Double(low) + Double(number) * width).rounded())
            return number == trendPeriods ? high : min(max(edge ?? high, low), high)
        }
        return zip(edges, edges.dropFirst()).map { $0..<max($0, $1) }
    }
}

/// Computes agreement on a thread of its own, since that takes seconds for many votes.
actor AgreementDesk {
    private let executor = ThreadExecutor(named: "agreement")

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.unowned }

    /// The whole answer of `GetAgreement`.
    func response(_ scan: VoteScan, _ choice: VoteChoice) throws -> GetAgreementResponse {
        let schema = scan.dataset.stored.answerSchema ?? Messages.AnswerSchema()
        let declared = schema.classes.map(\.name)
        var settings = AgreementReport.Settings()
        settings.level = choice.level
        let table = VoteTable(scan.comparable(choice.contains), declared: declared)
        guard AgreementGroup(key: "", table, settings).rowCount > 0 else {
            throw AnnotationError.votesMissing(dataset: "\(scan.dataset.name)")
        }
        let report = AgreementReport(table, settings: settings)
        var response = GetAgreementResponse()
        response.overall = .init(report.overall)
        if scan.dataset.stored.task == .classification {
            response.classes = report.classes.map { .init($0) }
        }
        if !schema.jsonSchema.isEmpty || !schema.fieldRules.isEmpty {
            response.fields = fields(scan, choice, settings)
        }
        response.pairs = report.pairs.map { .init($0) }
        response.annotators = annotators(scan, choice, report)
        response.trend = trend(scan, choice, declared, settings)
        response.confusions = report.confusions.map { confusion in
            .with {
                ($0.firstAnswer, $0.secondAnswer) = (confusion.first, confusion.second)
                $0.pairCount = UInt64(confusion.pairCount)
            }
        }
        response.completeCount = UInt64(scan.completeCount)
        response.incompleteCount = UInt64(scan.incompleteCount)
        let seconds = scan.votes.reduce(0) { $0 + (choice.contains($1) ? $1.leadSeconds : 0) }
        response.annotationHours = seconds / 3_600
        return response
    }

    private func fields(
        _ scan: VoteScan, _ choice: VoteChoice, _ settings: AgreementReport.Settings
    ) -> [Messages.AgreementGroup] {
        let tables = VoteTable.byField(
            scan.written(choice.contains), rules: scan.dataset.stored.comparison)
        return tables.sorted { $0.key < $1.key }.map { field, table in
            .init(Quality.AgreementGroup(key: field, table, settings))
        }
    }

    private func annotators(
        _ scan: VoteScan, _ choice: VoteChoice, _ report: AgreementReport
    ) -> [AnnotatorReport] {
        let golds = Dictionary(grouping: scan.golds, by: \.annotator)
        let votes = Dictionary(grouping: scan.votes.filter(choice.contains), by: \.annotator)
        let groups = Dictionary(
            report.annotators.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        return votes.keys.sorted().map { name in
            let cast = votes[name] ?? []
            var result = AnnotatorReport()
            result.annotator = name
            result.voteCount = UInt64(cast.count)
            result.skippedCount = UInt64(cast.count(where: \.skipped))
            result.agreement = groups[name].map { .init($0) }
            let record = GoldRecord((golds[name] ?? []).map(\.isRight))
            result.goldAccuracy = Measure("gold_accuracy", record.accuracy)
            result.recentGoldAccuracy = Measure("recent_gold_accuracy", record.recent)
            result.drifting = record.isDrifting
            let judged = cast.filter { !$0.skipped && scan.decided[$0.row] != nil }
            let overruled = judged.count {
                !scan.dataset.stored.isSame($0.answer, scan.decided[$0.row] ?? "")
            }
            result.overruledShare =
                judged.isEmpty ? 0 : Double(overruled) / Double(judged.count)
            result.leadSeconds = Distribution(
                "lead_seconds", cast.map(\.leadSeconds).filter { $0 > 0 })
            return result
        }
    }

    private func trend(
        _ scan: VoteScan, _ choice: VoteChoice, _ declared: [String],
        _ settings: AgreementReport.Settings
    ) -> [AgreementPeriod] {
        let times = scan.votes.filter(choice.contains).map(\.nanoseconds)
        return choice.periods(times).map { period in
            let votes = scan.comparable {
                choice.contains($0) && period.contains($0.nanoseconds)
            }
            var result = AgreementPeriod()
            result.startTime = .init(nanoseconds: period.lowerBound)
            result.endTime = .init(nanoseconds: period.upperBound)
            let table = VoteTable(votes, declared: declared)
            result.agreement = .init(Quality.AgreementGroup(key: "", table, settings))
            return result
        }
    }
}

extension Messages.AgreementGroup {
    /// In the form of the contract.
    init(_ group: Quality.AgreementGroup) {
        self.init()
        key = group.key
        coefficients = group.coefficients.map { .init($0) }
        rowCount = UInt64(group.rowCount)
        voteCount = UInt64(group.voteCount)
        prevalence = group.prevalence
        trusted = .init(group.trusted)
        trustReason = group.trustReason
    }
}

extension Messages.AgreementStatistic {
    fileprivate init(_ statistic: Quality.AgreementStatistic) {
        self =
            switch statistic {
            case .percent: .percent
            case .cohenKappa: .cohenKappa
            case .fleissKappa: .fleissKappa
            case .krippendorffAlpha: .krippendorffAlpha
            case .gwetAC1: .gwetAc1
            }
    }
}

extension Messages.AgreementCoefficient {
    fileprivate init(_ coefficient: Quality.AgreementCoefficient) {
        self.init()
        statistic = .init(coefficient.statistic)
        undefinedReason = coefficient.undefinedReason ?? ""
        guard let value = coefficient.value else { return }
        var number = Measure()
        number.name = statistic.plainName.lowercased()
        number.value = value
        number.interval = coefficient.interval.map { .init($0) }
        number.sampleCount = UInt64(coefficient.rows)
        number.higherIsBetter = true
        measure = number
    }
}

extension ConfidenceInterval {
    fileprivate init(_ interval: Interval) {
        self.init()
        (lower, upper, level) = (interval.lower, interval.upper, interval.level)
        method = interval.method.rawValue
    }
}

extension Measure {
    /// A share of trials; nil without trials.
    fileprivate init?(_ name: String, _ share: Share) {
        guard let value = share.value else { return nil }
        self.init()
        (self.name, self.value) = (name, value)
        interval = share.interval.map { .init($0) }
        sampleCount = UInt64(share.trials)
        higherIsBetter = true
    }
}

extension Distribution {
    /// How numbers are spread; nil without any.
    fileprivate init?(_ name: String, _ values: [Double]) {
        guard !values.isEmpty else { return nil }
        self.init()
        self.name = name
        sampleCount = UInt64(values.count)
        mean = values.reduce(0, +) / Double(values.count)
        let center = mean
        if values.count > 1 {
            let sum = values.reduce(0) { $0 + ($1 - center) * ($1 - center) }
            standardDeviation = (sum / Double(values.count - 1)).squareRoot()
        }
        let sorted = values.sorted()
        quantiles = [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1].map { share in
            // Linear between the values beside it.
            let place = share * Double(sorted.count - 1)
            let low = Int(place)
            let high = min(low + 1, sorted.count - 1)
            return sorted[low] + (sorted[high] - sorted[low]) * (place - Double(low))
        }
    }
}
