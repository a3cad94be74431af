import Messages
import Quality
import Resources

/// How decided rows are spread, whether hard ones are among them, and whether they are enough.
struct BalanceReport: Sendable {
    let rows: [Messages.BalanceRow]
    /// Of classes alone; infinite where a declared one has no row.
    let imbalanceRatio: Double
    /// Classes that would be as diverse if all were of one size, divided by their number.
    let evenness: Double
    let quotas: [QuotaRow]
    let size: SizeGuidance

    init(_ scan: InspectionScan, _ isRepeat: [Bool]) {
        let dataset = scan.dataset.stored
        let classes = dataset.answerSchema?.classes ?? []
        let decided = (0..<scan.count).filter { scan.rows.isDecided($0) }
        let distinct = decided.count { !isRepeat[$0] }
        let guide = SizeGuide(SizeTask(dataset), rows: decided.count, distinct: distinct)
        let wanted = Self.wanted(classes, guide)
        var all = Balance.Count(declared: classes.map(\.name))
        var ofClasses = Balance.Count(declared: classes.map(\.name))
        var tags: [String: Int] = [:]
        let hasClasses = dataset.task == .classification
        for row in decided {
            let keys = scan.rows.keys(of: row)
            all.add(keys, isRepeat: isRepeat[row])
            if hasClasses { ofClasses.add(Array(keys.prefix(1)), isRepeat: isRepeat[row]) }
            for key in keys where key.hasPrefix("tag:") {
                tags[String(key.dropFirst(4)), default: 0] += 1
            }
        }
        let balance = all.balance { wanted[$0] ?? 0 }
        let classBalance = ofClasses.balance()
        imbalanceRatio = hasClasses ? classBalance.imbalanceRatio : 0
        let classCount = classBalance.rows.count
        evenness = classCount > 1 ? classBalance.effectiveCount / Double(classCount) : 1
        rows = balance.rows.map { Messages.BalanceRow($0) }
        let results = Self.quotas(dataset).map { quota in
            quota.result(tagged: tags[quota.tag] ?? 0, of: decided.count)
        }
        quotas = results.map { QuotaRow($0) }
        size = Self.guidance(guide, balance, results, rows: decided.count)
    }

    /// Fewest rows of each class: its own number, or an even part of the least the guide names.
    private static func wanted(_ classes: [AnswerClass], _ guide: SizeGuide) -> [String: Int] {
        let least = guide.ranges.map(\.rows.lowerBound).min() ?? 0
        let part = (least + max(classes.count, 1) - 1) / max(classes.count, 1)
        return Dictionary(
            classes.map { ($0.name, $0.rowCountMin == 0 ? part : Int($0.rowCountMin)) },
            uniquingKeysWith: { first, _ in first })
    }

    private static func quotas(_ dataset: Dataset) -> [Quality.TagQuota] {
        guard !dataset.tagQuotas.isEmpty else { return Quality.TagQuota.standard }
        return dataset.tagQuotas.map { quota in
            Quality.TagQuota(
                tag: quota.tag, pointsMin: Int(quota.shareBasisPointsMin),
                pointsMax: Int(quota.shareBasisPointsMax))
        }
    }

    private static func guidance(
        _ guide: SizeGuide, _ balance: Balance, _ quotas: [QuotaResult], rows: Int
    ) -> SizeGuidance {
        var guidance = SizeGuidance()
        guidance.rowCount = UInt64(guide.rows)
        guidance.distinctCount = UInt64(guide.distinct)
        guidance.advice = guide.ranges.map { range in
            .with {
                $0.source = range.source
                $0.rowCountMin = UInt64(range.rows.lowerBound)
                $0.rowCountMax = UInt64(range.rows.upperBound)
            }
        }
        guidance.verdict =
            switch guide.verdict {
            case .doNotTune: .doNotTune
            case .low: .low
            case .usual: .usual
            case .ample: .ample
            }
        guidance.explanation = guide.explanation
        let classes = balance.rows.filter { $0.missing > 0 }
            .map { NamedCount($0.key, UInt64($0.missing)) }
        let tags = quotas.filter { !$0.isMet }.compactMap { result -> NamedCount? in
            let needed = (result.quota.pointsMin * rows + 9_999) / 10_000 - result.rows
            return needed > 0 ? NamedCount("tag:\(result.quota.tag)", UInt64(needed)) : nil
        }
        guidance.missing = (classes + tags).sorted {
            ($1.itemCount, $0.name) < ($0.itemCount, $1.name)
        }
        return guidance
    }
}

extension SizeTask {
    /// Reasoning in a field of knowledge is the hardest task of the guide; free text comes before.
    init(_ dataset: Dataset) {
        switch dataset.task {
        case .classification: self = .classification
        case .extraction: self = .extraction
        case .reasoning where ![.generic, .unspecified].contains(dataset.domain):
            self = .domainReasoning
        default: self = .reasoning
        }
    }
}

extension Messages.BalanceRow {
    fileprivate init(_ row: Quality.BalanceRow) {
        self.init()
        key = row.key
        exampleCount = UInt64(row.rows)
        distinctCount = UInt64(row.distinct)
        share = row.share
        wantedCount = UInt64(row.wanted)
    }
}

extension QuotaRow {
    fileprivate init(_ result: QuotaResult) {
        self.init()
        tag = result.quota.tag
        exampleCount = UInt64(result.rows)
        shareBasisPoints = UInt32(result.points)
        shareBasisPointsMin = UInt32(result.quota.pointsMin)
        shareBasisPointsMax = UInt32(result.quota.pointsMax)
        met = result.isMet
    }
}
