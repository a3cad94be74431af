import Base
import Digests
import Messages
import Resources
import Storage

/// A row as the catalogue has it, with one of its revisions.
struct ExampleRecord: Sendable {
    let id: Int64
    let rowID: String
    let state: ExampleState
    let origin: AnswerOrigin
    let gold: Bool
    let sourceSplit: SplitKind
    let voteCount: Int
    let createNanoseconds, updateNanoseconds: Int64
    /// nil once it is erased.
    let payload: Bytes?
    let contentDigest: Digest256?

    /// Of `examples` joined with `revisions`.
    static let columns = """
        examples.id, row_id, state, answer_origin, gold, source_split, vote_count, create_ns,
        update_ns, payload, content_sha
        """

    init(_ row: Row) {
        id = row.int64(0)
        rowID = row.text(1)
        state = ExampleState(rawValue: Int32(row.int(2)))
        origin = AnswerOrigin(rawValue: Int32(row.int(3)))
        gold = row.bool(4)
        sourceSplit = SplitKind(rawValue: Int32(row.int(5)))
        voteCount = row.int(6)
        (createNanoseconds, updateNanoseconds) = (row.int64(7), row.int64(8))
        payload = row.isNull(9) ? nil : row.blob(9)
        contentDigest = row.digest(10)
    }

    /// The resource.
    ///
    /// - Parameter split: where the row is, in answers about one version
    func message(_ dataset: DatasetName, split: SplitKind = .unspecified) throws -> Example {
        var message = try payload.map { try Example(decoding: $0) } ?? Example()
        message.name = ExampleName(dataset: dataset.id, rowID: rowID).description
        message.rowID = rowID
        message.state = payload == nil ? .erased : state
        message.answerOrigin = origin
        message.gold = gold
        message.voteCount = UInt32(clamping: voteCount)
        message.split = split
        message.contentSha256 = contentDigest?.hex ?? ""
        message.createTime = .init(nanoseconds: createNanoseconds)
        message.updateTime = .init(nanoseconds: updateNanoseconds)
        return message
    }
}

extension Connection {
    /// A row with its newest revision; nil if there is none.
    func example(_ name: ExampleName) throws -> (dataset: DatasetRecord, row: ExampleRecord)? {
        let dataset = try dataset(DatasetName(id: name.dataset))
        let row = try first(
            """
            SELECT \(ExampleRecord.columns) FROM examples
            LEFT JOIN revisions ON revisions.id = revision_id
            WHERE dataset_id = ? AND row_id = ?
            """, .integer(dataset.id), .text(name.rowID)
        ) { ExampleRecord($0) }
        return row.map { (dataset, $0) }
    }

}

/// The fields of rows in filters.
enum ExampleFilter {
    /// What a field holds.
    static func kind(_ name: String) -> FilterKind? {
        switch name {
        case "row_id", "answer", "rights.source", "rights.licence": .text
        case "tags": .texts
        case "gold": .truth
        case "state": .choice(ExampleState.allKnown.map(\.plainName))
        case "split": .choice(SplitKind.allKnown.map(\.plainName))
        case "answer_origin": .choice(AnswerOrigin.allKnown.map(\.plainName))
        case "guidelines_revision", "width_pixels", "height_pixels": .number
        case "create_time": .time
        default: name.hasPrefix("group.") || name.hasPrefix("attributes.") ? .text : nil
        }
    }

    /// The value of a field of one row.
    static func value(_ field: String, of row: Example) -> FilterValue {
        switch field {
        case "row_id": return .text(row.rowID)
        case "answer": return row.answer.isEmpty ? .none : .text(row.answer)
        case "rights.source": return row.rights.map { .text($0.source) } ?? .none
        case "rights.licence": return row.rights.map { .text($0.licence) } ?? .none
        case "tags": return .texts(row.tags)
        case "gold": return .truth(row.gold)
        case "state": return .text(row.state.plainName)
        case "split": return .text(row.split.plainName)
        case "answer_origin": return .text(row.answerOrigin.plainName)
        case "guidelines_revision":
            let revision = row.guidelines.split(separator: "/").last.flatMap { Double($0) }
            // Decided without guidelines counts as under revision 0, older than any.
            return row.answer.isEmpty ? .none : .number(revision ?? 0)
        case "width_pixels": return widest(row.images.map(\.widthPixels))
        case "height_pixels": return widest(row.images.map(\.heightPixels))
        case "create_time": return .number(Double(row.createTime?.nanoseconds ?? 0))
        default: return named(field, row)
        }
    }

    private static func widest(_ sides: [UInt32]) -> FilterValue {
        sides.max().map { .number(Double($0)) } ?? .none
    }

    private static func named(_ field: String, _ row: Example) -> FilterValue {
        let parts = field.split(separator: ".", maxSplits: 1).map(String.init)
        let values = parts[0] == "group" ? row.groupValues : row.attributes
        return parts.count == 2 ? values[parts[1]].map { .text($0) } ?? .none : .none
    }
}
