import Base
import Messages
import Quality
import Resources
import Storage

extension Catalogue {
    /// `SetAugmentationPolicy`.
    func set(
        _ request: SetAugmentationPolicyRequest
    ) async throws -> SetAugmentationPolicyResponse {
        let name = try DatasetName(request.dataset, field: "dataset")
        guard let asked = request.policy else { throw DatasetError.required(field: "policy") }
        let namesColors = try await scanner.read { db in
            try ColorWords.areNamed(in: try db.dataset(name), db)
        }
        let now = clock()
        let change: @Sendable (Connection) throws -> SetAugmentationPolicyResponse = { db in
            let record = try db.dataset(name)
            let terms = try PolicyTerms(
                asked, domain: record.stored.domain, answersNameColors: namesColors)
            var message = try terms.message(usedPreset: asked.usePreset)
            let earlier = record.stored.augmentationPolicy?.name.split(separator: "/").last
            let revision = (earlier.flatMap { Int($0) } ?? 0) + 1
            message.name = "\(name)/augmentationPolicies/\(revision)"
            message.createTime = .init(nanoseconds: now)
            var changed = record.stored
            changed.augmentationPolicy = message
            try db.run(
                """
                UPDATE datasets SET message = ?, update_ns = ?, change_count = change_count + 1
                WHERE id = ?
                """, .blob(try changed.encoded()), .integer(now), .integer(record.id))
            return .with { ($0.policy, $0.warnings) = (message, terms.warnings) }
        }
        if request.validateOnly { return try await writer.undone(change) }
        return try await once(request.requestID, request, change)
    }
}
