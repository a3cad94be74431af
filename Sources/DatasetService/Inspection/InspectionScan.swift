import Base
import Digests
import Messages
import Quality
import Resources
import Storage

/// The rows of a dataset or version at one moment, as compactly as a report allows: some 50 bytes
/// a row and 130 a distinct image.
struct InspectionScan: Sendable {
    let dataset: DatasetRecord
    let readNanoseconds: Int64

    /// Keys of rows in `examples`, in order of row id or of the version.
    private(set) var examples: [Int64] = []
    private(set) var rows = RowColumns()
    private(set) var images = ImageColumns()
    private(set) var answers: AnswerTally

    /// Rows looked at.
    var count: Int { examples.count }

    /// Reads the rows that a request chooses, inside one read of the catalogue.
    init(_ terms: InspectionTerms, _ db: Connection, now: Int64) throws {
        dataset = try db.dataset(terms.dataset)
        readNanoseconds = now
        answers = AnswerTally(
            terms.wants(.answerLint) ? try Self.rules(dataset, terms, db) : nil,
            seesVariants: Self.isFreeText(dataset.stored), findingsMax: terms.findingsMax)
        var failure: (any Error)?
        let (sql, key) = try Self.query(terms, dataset, db)
        try db.each(sql, [key]) { row in
            do {
                try take(ExampleRecord(row), SplitKind(rawValue: Int32(row.int(11))), terms)
            } catch {
                failure = error
            }
            return failure == nil
        }
        if let failure { throw failure }
        answers.finish()
        images.forgetPlaces()
    }

    /// What answers are held against: for a version, the rules that it was frozen with.
    private static func rules(
        _ dataset: DatasetRecord, _ terms: InspectionTerms, _ db: Connection
    ) throws -> AnswerRules {
        guard let version = terms.version else {
            return try AnswerRules(dataset.stored, try db.guidelines(of: dataset))
        }
        let frozen = try db.version(version).stored
        var stored = dataset.stored
        stored.answerSchema = frozen.answerSchema
        let revision = frozen.guidelines.split(separator: "/").last.flatMap { UInt32($0) }
        let guidelines = try revision.map { try db.guidelines(of: dataset, revision: $0) }
        return try AnswerRules(stored, guidelines)
    }

    /// With classes or a schema every odd answer is found by itself.
    private static func isFreeText(_ dataset: Dataset) -> Bool {
        let schema = dataset.answerSchema ?? Messages.AnswerSchema()
        return schema.classes.isEmpty && schema.jsonSchema.isEmpty
    }

    private static func query(
        _ terms: InspectionTerms, _ dataset: DatasetRecord, _ db: Connection
    ) throws -> (String, SQLValue) {
        guard let version = terms.version else {
            let sql = """
                SELECT \(ExampleRecord.columns), 0 FROM examples
                JOIN revisions ON revisions.id = revision_id
                WHERE dataset_id = ? AND payload IS NOT NULL ORDER BY row_id
                """
            return (sql, .integer(dataset.id))
        }
        let sql = """
            SELECT \(ExampleRecord.columns), split FROM version_rows
            JOIN revisions ON revisions.id = version_rows.revision_id
            JOIN examples ON examples.id = example_id
            WHERE version_id = ? AND payload IS NOT NULL ORDER BY split, position
            """
        return (sql, .integer(try db.version(version).id))
    }

    private mutating func take(
        _ record: ExampleRecord, _ split: SplitKind, _ terms: InspectionTerms
    ) throws {
        let message = try record.message(dataset.name, split: split)
        guard terms.filter.matches({ ExampleFilter.value($0, of: message) }) else { return }
        // What is known of gold rows must not be learned from a report.
        guard !record.gold || terms.filter.fields.contains("gold") else { return }
        let row = examples.count
        examples.append(record.id)
        let answer = message.answer
        // The rows of a version were decided when it was frozen, whatever became of them.
        let isDecided = !answer.isEmpty && (terms.version != nil || record.state == .decided)
        rows.append(
            answer: isDecided ? SplitPlan.hash(answer) : 0, question: Self.question(message))
        rows.append(keys: Self.keys(message, answer, dataset.stored.task, terms))
        images.append(message.images)
        if isDecided { answers.add(answer, row: row) }
    }

    /// The words that are asked, so that two questions about one picture are two rows.
    private static func question(_ message: Example) -> UInt64 {
        SplitPlan.hash(
            message.turns.filter { $0.role == .user }.map(\.plainText).joined(separator: "\n"))
    }

    /// What a row is counted under: its class, its tags, its scenarios.
    private static func keys(
        _ message: Example, _ answer: String, _ task: AnswerTask, _ terms: InspectionTerms
    ) -> [String] {
        var keys = task == .classification && !answer.isEmpty ? [answer] : []
        keys += message.tags.map { "tag:\($0)" }
        for name in terms.scenarioKeys {
            if let value = message.attributes[name] ?? message.groupValues[name] {
                keys.append("\(name)=\(value)")
            }
        }
        return keys
    }
}

/// Columns of rows.
struct RowColumns: Sendable {
    /// A hash of the answer; 0 where none is decided.
    private(set) var answers: [UInt64] = []
    private(set) var questions: [UInt64] = []
    private(set) var keyNames: [String] = []
    private var keyStarts: [Int32] = [0]
    private var keys: [Int32] = []
    private var keyNumbers: [String: Int32] = [:]

    /// Different keys that are told apart; rows of all others are counted together.
    private static let keysMax = 20_000
    private static let otherKey = "(other)"

    func isDecided(_ row: Int) -> Bool { answers[row] != 0 }

    /// What a row is counted under.
    func keys(of row: Int) -> [String] {
        keys[Int(keyStarts[row])..<Int(keyStarts[row + 1])].map { keyNames[Int($0)] }
    }

    fileprivate mutating func append(answer: UInt64, question: UInt64) {
        answers.append(answer)
        questions.append(question)
    }

    fileprivate mutating func append(keys names: [String]) {
        for name in names {
            let kept = keyNumbers[name] != nil || keyNames.count < Self.keysMax
            let name = kept ? name : Self.otherKey
            let number = keyNumbers[name] ?? Int32(keyNames.count)
            if Int(number) == keyNames.count {
                keyNumbers[name] = number
                keyNames.append(name)
            }
            keys.append(number)
        }
        keyStarts.append(Int32(keys.count))
    }
}

/// The images of rows, each distinct one once.
struct ImageColumns: Sendable {
    /// Of distinct images.
    private(set) var digests: [Digest256] = []
    private(set) var hashes: [UInt64] = []
    private(set) var widths: [Int32] = []
    private(set) var heights: [Int32] = []
    /// Which image each place of each row holds.
    private(set) var slots: [Int32] = []
    /// Where the places of each row begin; one more than rows.
    private var slotStarts: [Int32] = [0]
    private var places: [UInt64: Int32] = [:]

    /// The places of a row.
    func slots(of row: Int) -> Range<Int> { Int(slotStarts[row])..<Int(slotStarts[row + 1]) }

    fileprivate mutating func append(_ images: [StoredImage]) {
        for image in images {
            guard let digest = Digest256(hex: image.imageSha256) else { continue }
            slots.append(number(of: image, digest))
        }
        slotStarts.append(Int32(slots.count))
    }

    private mutating func number(of image: StoredImage, _ digest: Digest256) -> Int32 {
        let key = SplitPlan.hash(image.imageSha256)
        if let known = places[key] { return known }
        let number = Int32(digests.count)
        places[key] = number
        digests.append(digest)
        hashes.append(image.perceptualHash)
        widths.append(Int32(clamping: image.widthPixels))
        heights.append(Int32(clamping: image.heightPixels))
        return number
    }

    /// Gives back the memory that only finding images took.
    fileprivate mutating func forgetPlaces() { places = [:] }
}
