import Messages
import Quality
import Resources

/// What an inspection is asked for, checked, with the standard values filled in.
struct InspectionTerms: Sendable {
    let dataset: DatasetName
    /// nil for the rows as they are now.
    let version: VersionName?
    let filter: Filter
    /// Bits in which near-duplicates may differ.
    let distanceMax: Int
    /// Findings listed of each kind.
    let findingsMax: Int
    let thresholds: ImageThresholds
    /// Attributes whose values are scenarios.
    let scenarioKeys: [String]
    let wantsPage: Bool
    private let parts: Set<Int32>

    init(_ request: InspectDatasetRequest) throws(DatasetError) {
        if request.name.split(separator: "/").count == 4 {
            let name = try VersionName(request.name, field: "name")
            (version, dataset) = (name, DatasetName(id: name.dataset))
        } else {
            (version, dataset) = (nil, try DatasetName(request.name, field: "name"))
        }
        filter = try Filter(request.filter, kind: ExampleFilter.kind)
        let distance = request.hashDistanceMax ?? Limits.hashDistanceStandard
        guard distance <= Limits.hashDistanceMax else {
            throw .invalid(
                field: "hash_distance_max", seen: "\(distance)",
                allowed: "0 to \(Limits.hashDistanceMax) is allowed")
        }
        distanceMax = Int(distance)
        let findings = Int(request.findingsMax ?? UInt32(Limits.findingsStandard))
        guard findings <= Limits.findingsMax else {
            throw .invalid(
                field: "findings_max", seen: "\(findings)",
                allowed: "0 to \(Limits.findingsMax) is allowed")
        }
        findingsMax = findings
        thresholds = try Self.thresholds(request.thresholds)
        guard request.scenarioAttributes.count <= Limits.attributesMax else {
            throw .invalid(
                field: "scenario_attributes", seen: "\(request.scenarioAttributes.count) names",
                allowed: "\(Limits.attributesMax) or fewer are allowed")
        }
        scenarioKeys = request.scenarioAttributes
        for part in request.parts where !part.isKnown || part == .unspecified {
            throw .invalid(
                field: "parts", seen: "\(part)", allowed: "parts of the contract are allowed")
        }
        parts = Set(request.parts.map(\.rawValue))
        wantsPage = request.includeHtml
    }

    /// Whether a part of the report is asked for.
    func wants(_ part: InspectionPart) -> Bool { parts.isEmpty || parts.contains(part.rawValue) }

    private static func thresholds(
        _ given: [String: Double]
    ) throws(DatasetError) -> ImageThresholds {
        var thresholds = ImageThresholds()
        for (name, value) in given.sorted(by: { $0.key < $1.key }) {
            guard value.isFinite, value >= 0 else {
                throw .invalid(
                    field: "thresholds.\(name)", seen: "\(value)", allowed: "0 or more is allowed")
            }
            guard thresholds.set(name, to: value) else {
                let names = ImageOddity.allCases.map(\.rawValue).joined(separator: ", ")
                throw .invalid(field: "thresholds", seen: name, allowed: "allowed are \(names)")
            }
        }
        return thresholds
    }
}
