import Base
import Messages
import Quality
import Resources
import Text

/// A division as asked for, with the standard values filled in.
struct SplitTerms: Sendable {
    /// Complete, as the version keeps it.
    let spec: SplitSpec
    let task: AnswerTask

    init(_ asked: SplitSpec, _ dataset: Dataset) throws(DatasetError) {
        var spec = asked
        try Self.check(spec.validationBasisPoints, "validation_basis_points")
        try Self.check(spec.testBasisPoints, "test_basis_points")
        let distance = spec.hashDistanceMax ?? Limits.hashDistanceStandard
        guard distance <= Limits.hashDistanceMax else {
            throw .invalid(
                field: "split_spec.hash_distance_max", seen: "\(distance)",
                allowed: "0 to \(Limits.hashDistanceMax) is allowed")
        }
        spec.hashDistanceMax = distance
        spec.stratify = spec.stratify ?? true
        if spec.groupKeys.isEmpty { spec.groupKeys = dataset.groupKeys }
        for key in spec.groupKeys where !dataset.groupKeys.contains(key) {
            throw .invalid(
                field: "split_spec.group_keys", seen: key,
                allowed: "those of the dataset: \(dataset.groupKeys.joined(separator: ", "))")
        }
        if !spec.stratifyBy.isEmpty, !spec.stratifyBy.hasPrefix("/"),
            !spec.stratifyBy.hasPrefix("attributes.")
        {
            throw .invalid(
                field: "split_spec.stratify_by", seen: spec.stratifyBy,
                allowed: "a JSON pointer such as /total, or attributes.KEY")
        }
        self.spec = spec
        task = dataset.task
    }

    /// The shares of the parts, for so many rows.
    func shares(rows: Int) -> SplitShares {
        let standard = SplitShares.standard(rows: rows)
        let validation = spec.validationBasisPoints.map { Int($0) } ?? standard.validationPoints
        let test = spec.testBasisPoints.map { Int($0) } ?? standard.testPoints
        return SplitShares(validationPoints: validation, testPoints: test) ?? standard
    }

    /// What is to be spread evenly.
    func stratum(of row: Example) -> String {
        guard spec.stratify == true else { return "" }
        if spec.stratifyBy.isEmpty { return task == .classification ? row.answer : "" }
        if spec.stratifyBy.hasPrefix("attributes.") {
            return row.attributes[String(spec.stratifyBy.dropFirst("attributes.".count))] ?? ""
        }
        guard let document = try? JSONDocument(row.answer.utf8) else { return "" }
        return document.root.at(pointer: spec.stratifyBy)?.sample ?? ""
    }

    private static func check(_ points: UInt32?, _ field: String) throws(DatasetError) {
        guard let points, points > Limits.splitBasisPointsMax else { return }
        throw .invalid(
            field: "split_spec.\(field)", seen: "\(points)",
            allowed: "0 to \(Limits.splitBasisPointsMax) is allowed")
    }
}

extension JSONNode {
    /// The value that a JSON pointer (RFC 6901) names; nil if there is none.
    func at(pointer: String) -> JSONNode? {
        var node: JSONNode? = self
        for part in pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            let name = part.replacing("~1", with: "/").replacing("~0", with: "~")
            guard let current = node else { return nil }
            if current.isArray {
                let index = Int(name) ?? -1
                let start = Array(current.elements.prefix(max(0, index) + 1))
                node = start.indices.contains(index) ? start[index] : nil
            } else {
                node = current[String(name)]
            }
        }
        return node
    }
}

extension SplitKind {
    init(_ part: SplitPart) {
        switch part {
        case .train: self = .train
        case .validation: self = .validation
        case .test: self = .test
        }
    }

    var part: SplitPart? {
        switch self {
        case .train: .train
        case .validation: .validation
        case .test: .test
        default: nil
        }
    }
}
