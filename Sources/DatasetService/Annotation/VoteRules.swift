import Base
import Messages
import Resources

/// What votes and records of a discussion must be like, whatever row they are about.
enum VoteRules {
    /// Checks the parts of a vote that its author fills in, but for answer and regions.
    static func check(_ vote: Vote) throws {
        if vote.skipped {
            guard vote.answer.isEmpty, vote.regions.isEmpty else {
                throw DatasetError.fieldsConflict(
                    "a skipped vote has no answer and no regions",
                    fields: ["vote.skipped", "vote.answer"])
            }
        }
        if let confidence = vote.confidence, !(0...1).contains(confidence) {
            throw DatasetError.invalid(
                field: "vote.confidence", seen: "\(confidence)", allowed: "0 to 1 is allowed")
        }
        guard (0...Limits.leadSecondsMax).contains(vote.leadSeconds) else {
            throw DatasetError.invalid(
                field: "vote.lead_seconds", seen: "\(vote.leadSeconds)",
                allowed: "0 to \(Limits.leadSecondsMax) is allowed")
        }
        try size("vote.comment", vote.comment, Limits.remarkBytesMax)
        try tags("vote.tags", vote.tags)
    }

    /// Checks a record of a discussion, but for its answer and regions: each kind has its fields.
    static func check(_ record: Adjudication) throws {
        guard !record.reason.isEmpty else {
            throw DatasetError.required(field: "adjudication.reason")
        }
        try size("adjudication.reason", record.reason, Limits.remarkBytesMax)
        try tags("adjudication.tags", record.tags)
        guard record.dissenters.count <= Limits.dissentersMax else {
            throw DatasetError.invalid(
                field: "adjudication.dissenters", seen: "\(record.dissenters.count) names",
                allowed: "at most \(Limits.dissentersMax) are allowed")
        }
        for (index, name) in record.dissenters.enumerated() {
            try size("adjudication.dissenters[\(index)]", name, Limits.annotatorBytesMax)
        }
        let isDecision = record.kind == .decision
        let decisive =
            !record.answer.isEmpty || !record.regions.isEmpty || !record.tags.isEmpty
            || !record.dissenters.isEmpty || record.makeGold
        switch record.kind {
        case .comment, .decision, .undo:
            guard isDecision || !decisive else {
                throw DatasetError.fieldsConflict(
                    "answer, regions, tags, dissenters and make_gold belong to a decision",
                    fields: ["adjudication.kind", "adjudication.answer"])
            }
            guard record.undone.isEmpty == (record.kind != .undo) else {
                throw DatasetError.fieldsConflict(
                    "undone names a decision where the kind is UNDO, and only there",
                    fields: ["adjudication.kind", "adjudication.undone"])
            }
        default:
            throw DatasetError.invalid(
                field: "adjudication.kind", seen: record.kind.plainName,
                allowed: "COMMENT, DECISION or UNDO is allowed")
        }
    }

    /// Checks boxes against the images of a row.
    static func check(
        _ regions: [ImageRegion], in row: Example, field: String
    ) throws(AnnotationError) {
        let sizes = row.images.map { (width: Int($0.widthPixels), height: Int($0.heightPixels)) }
        guard let problem = RowRules.regionProblems(regions, sizes).first?.problem else {
            return
        }
        throw .regionInvalid(
            field: "\(field).\(problem.field)",
            why: "\(problem.message): \(problem.seen) seen, \(problem.allowed) allowed")
    }

    static func size(_ field: String, _ text: String, _ max: Int) throws(DatasetError) {
        guard text.utf8.count <= max else {
            throw .tooLarge(what: field, bytes: text.utf8.count, bytesMax: max)
        }
    }

    private static func tags(_ field: String, _ tags: [String]) throws(DatasetError) {
        guard tags.count <= Limits.tagsMax else {
            throw .invalid(
                field: field, seen: "\(tags.count) tags",
                allowed: "at most \(Limits.tagsMax) are allowed")
        }
        for (index, tag) in tags.enumerated() where !RowRules.isTag(tag) {
            throw .invalid(
                field: "\(field)[\(index)]", seen: tag,
                allowed: "[a-z][a-z0-9_-]{0,62} is allowed")
        }
    }
}
