import Base
import Messages
import Resources
import Storage

extension Catalogue {
    /// `UpdateDataset`.
    func update(_ request: UpdateDatasetRequest) async throws -> Dataset {
        guard let asked = request.dataset else { throw DatasetError.required(field: "dataset") }
        let name = try DatasetName(asked.name, field: "dataset.name")
        let paths = request.updateMask?.paths ?? []
        let now = clock()
        let change: @Sendable (Connection) throws -> Dataset = { db in
            let record = try db.dataset(name)
            guard asked.etag.isEmpty || asked.etag == record.etag else {
                throw DatasetError.changed(
                    name: "\(name)", seen: asked.etag, present: record.etag)
            }
            var changed = record.stored
            let fields = paths.isEmpty ? DatasetChange.fieldsSet(in: asked) : paths
            for field in fields { try DatasetChange.apply(field, from: asked, to: &changed) }
            if changed.task != record.stored.task, record.exampleCount > 0 {
                throw DatasetError.inUse(
                    name: "\(name)",
                    why: "the task cannot change while there are \(record.exampleCount) rows")
            }
            if changed.answerSchema != record.stored.answerSchema { changed.schemaRevision += 1 }
            try DatasetRules.check(changed)
            try db.run(
                """
                UPDATE datasets SET message = ?, update_ns = ?, change_count = change_count + 1
                WHERE id = ?
                """, .blob(try changed.encoded()), .integer(now), .integer(record.id))
            let present = try db.dataset(name)
            if present.stored.votesNeeded < record.stored.votesNeeded {
                try db.settleComplete(present, at: now)
            }
            return try present.message(db)
        }
        if request.validateOnly { return try await writer.undone(change) }
        return try await once(request.requestID, request, change)
    }
}

/// Which fields of a dataset people may change.
enum DatasetChange {
    private struct Field {
        let isSet: (Dataset) -> Bool
        let copy: (Dataset, inout Dataset) -> Void

        init<Value: Equatable>(_ path: WritableKeyPath<Dataset, Value>) {
            let empty = Dataset()[keyPath: path]
            isSet = { $0[keyPath: path] != empty }
            copy = { $1[keyPath: path] = $0[keyPath: path] }
        }
    }

    private static func fields() -> [String: Field] {
        [
            "display_name": Field(\.displayName), "description": Field(\.description),
            "task": Field(\.task), "domain": Field(\.domain),
            "answer_schema": Field(\.answerSchema), "group_keys": Field(\.groupKeys),
            "tag_quotas": Field(\.tagQuotas), "image_limits": Field(\.imageLimits),
            "annotators_per_row": Field(\.annotatorsPerRow),
            "target_score": Field(\.targetScore), "labels": Field(\.labels),
            "default_prompt": Field(\.defaultPrompt),
            "default_system_text": Field(\.defaultSystemText),
            "gold_feedback": Field(\.goldFeedback),
        ]
    }

    /// The fields that differ from their unset values.
    static func fieldsSet(in dataset: Dataset) -> [String] {
        fields().filter { $0.value.isSet(dataset) }.keys.sorted()
    }

    /// Copies one field.
    static func apply(
        _ name: String, from source: Dataset, to target: inout Dataset
    ) throws(DatasetError) {
        let all = fields()
        guard let field = all[name] else {
            throw .badUpdateMask(
                field: name, allowed: all.keys.sorted().joined(separator: ", "))
        }
        field.copy(source, &target)
    }
}
