import Base
import Digests
import Messages
import Quality
import Resources
import Storage

/// Divides and counts on a thread of its own, since that takes seconds for a million rows.
actor Freezer {
    private let executor = ThreadExecutor(named: "freeze")

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.unowned }

    /// What a version would be, and which rows go where.
    func draft(
        _ scan: FreezeScan, _ request: FreezeVersionRequest, author: String
    ) throws -> VersionDraft {
        try VersionDraft(scan, request, author: author)
    }
}

/// A version before it has a number.
struct VersionDraft: Sendable {
    let message: DatasetVersion
    let digest: Digest256
    let leftOut: [NamedCount]
    /// Revisions of each split in order of row id.
    let rows: [(split: SplitKind, revisions: [Int64])]

    fileprivate init(
        _ scan: FreezeScan, _ request: FreezeVersionRequest, author: String
    ) throws {
        guard scan.count > 0 else {
            throw DatasetError.splitTooSmall(
                "no row is left to freeze; 1 or more are needed: decide rows or widen the filter")
        }
        let division = try scan.divided()
        var version = DatasetVersion()
        version.description = request.description
        version.labels = request.labels
        version.author = author
        let dataset = scan.dataset.stored
        (version.task, version.domain) = (dataset.task, dataset.domain)
        (version.answerSchema, version.guidelines) = (dataset.answerSchema, dataset.guidelines)
        version.augmentationPolicy = dataset.augmentationPolicy
        version.targetScore = dataset.targetScore
        version.splitSpec = Self.spec(scan)
        version.certificate = division.certificate
        version.exampleCount = UInt64(scan.count)
        version.imageBytes = scan.imageBytes
        version.quotas = Self.quotas(scan)
        rows = SplitPart.allCases.map { part in
            let chosen = division.parts.indices.filter { division.parts[$0] == part }
            return (SplitKind(part), chosen.map { scan.revisions[$0] })
        }
        version.splits = division.spreads.map { Self.summary($0, scan, division) }
        version.warnings = try Self.warnings(version, request.splitSpec ?? SplitSpec())
        digest = try Self.digest(version)
        leftOut = scan.leftOut.sorted { $0.key < $1.key }.map { NamedCount($0.key, $0.value) }
        message = version
    }

    private static func spec(_ scan: FreezeScan) -> SplitSpec {
        var spec = scan.terms.spec
        let shares = scan.terms.shares(rows: scan.count)
        spec.validationBasisPoints = UInt32(shares.validationPoints)
        spec.testBasisPoints = UInt32(shares.testPoints)
        return spec
    }

    private static func summary(
        _ spread: SplitSpread, _ scan: FreezeScan, _ division: FreezeScan.Division
    ) -> SplitSummary {
        var hash = SHA256()
        for (row, part) in division.parts.enumerated() where part == spread.part {
            scan.digests[row].withBytes { hash.update($0) }
        }
        var summary = SplitSummary()
        summary.split = SplitKind(spread.part)
        summary.exampleCount = UInt64(spread.rows)
        summary.strata = spread.strata.map { NamedCount($0.name, UInt64($0.rows)) }
        summary.stratumDeviationRowsMax = spread.deviationMax
        summary.splitSha256 = hash.finish().hex
        return summary
    }

    private static func quotas(_ scan: FreezeScan) -> [QuotaRow] {
        scan.dataset.stored.tagQuotas.map { wanted in
            var row = QuotaRow()
            row.tag = wanted.tag
            let count = scan.tags[wanted.tag] ?? 0
            row.exampleCount = UInt64(count)
            row.shareBasisPoints = UInt32(count * 10_000 / scan.count)
            row.shareBasisPointsMin = wanted.shareBasisPointsMin
            row.shareBasisPointsMax = wanted.shareBasisPointsMax
            let top = wanted.shareBasisPointsMax == 0 ? 10_000 : wanted.shareBasisPointsMax
            row.met =
                row.shareBasisPoints >= wanted.shareBasisPointsMin
                && row.shareBasisPoints <= top
            return row
        }
    }

    /// What is worth knowing; throws where a split that was asked for would be empty.
    private static func warnings(
        _ version: DatasetVersion, _ asked: SplitSpec
    ) throws(DatasetError) -> [Problem] {
        var warnings: [Problem] = []
        for summary in version.splits {
            let wanted =
                switch summary.split {
                case .validation: asked.validationBasisPoints ?? 0
                case .test: asked.testBasisPoints ?? 0
                default: UInt32(1)
                }
            let name = summary.split.plainName.lowercased()
            if summary.exampleCount == 0, wanted > 0 {
                throw .splitTooSmall(
                    "the \(name) split would be empty; \(version.exampleCount) rows are too few for"
                        + " it: bring more, or ask for a share of 0")
            }
        }
        let test = version.splits.last?.exampleCount ?? 0
        if test < Limits.testRowsWanted {
            var problem = Problem()
            problem.reason = .splitTooSmall
            problem.field = "splits[2].example_count"
            problem.seen = "\(test)"
            problem.allowed = "\(Limits.testRowsWanted) or more"
            problem.message =
                "the test split has \(test) rows; below \(Limits.testRowsWanted) differences of a"
                + " few points are chance"
            warnings.append(problem)
        }
        for quota in version.quotas where !quota.met {
            var problem = Problem()
            problem.reason = .fieldInvalid
            problem.field = "tag_quotas.\(quota.tag)"
            problem.seen = "\(quota.shareBasisPoints) basis points"
            problem.allowed =
                "\(quota.shareBasisPointsMin) to \(quota.shareBasisPointsMax) basis points"
            problem.message = "rows tagged \(quota.tag) miss their quota"
            warnings.append(problem)
        }
        return warnings
    }

    /// Of rows, splits, schema, guidelines and policy; not of descriptions, authors or times.
    private static func digest(_ version: DatasetVersion) throws -> Digest256 {
        var content = DatasetVersion()
        content.splits = version.splits
        (content.task, content.domain) = (version.task, version.domain)
        (content.answerSchema, content.guidelines) = (version.answerSchema, version.guidelines)
        // What a policy does, not which revision it is or when it was set.
        content.augmentationPolicy = version.augmentationPolicy.map { policy in
            .with { $0.policySha256 = policy.policySha256 }
        }
        content.targetScore = version.targetScore
        return try content.encoded().sha256
    }
}
