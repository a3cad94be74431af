import Messages
import Quality
import Resources

/// What a row must be like. Collects everything that is wrong, so that one upload tells it all.
struct RowRules: Sendable {
    private let dataset: Dataset
    private let classes: Set<String>
    private let groupKeys: Set<String>
    private let answerBytesMax: Int
    /// nil where any text, or any JSON, is an answer.
    private let schema: Quality.AnswerSchema?

    init(_ dataset: Dataset) {
        self.dataset = dataset
        let form = dataset.answerSchema ?? Messages.AnswerSchema()
        classes = Set(form.classes.map(\.name))
        groupKeys = Set(dataset.groupKeys)
        // A dataset is not taken with a schema that cannot be read.
        schema = form.jsonSchema.isEmpty ? nil : try? Quality.AnswerSchema(form.jsonSchema)
        let asked = Int(form.answerBytesMax)
        answerBytesMax = asked == 0 ? Limits.answerBytesStandard : asked
    }

    /// The conversation as it is stored: with the dataset's prompt and standing instructions where
    /// the row brings none.
    func completed(_ turns: [Turn], imageCount: Int) -> [Turn] {
        var turns = turns
        let hasQuestion = turns.contains { $0.role == .user }
        if !hasQuestion, turns.allSatisfy({ $0.role == .system || $0.role == .assistant }) {
            var turn = Turn()
            turn.role = .user
            turn.parts = (0..<imageCount).map { .image($0) }
            if !dataset.defaultPrompt.isEmpty { turn.parts.append(.text(dataset.defaultPrompt)) }
            if !turn.parts.isEmpty {
                turns.insert(turn, at: turns.first?.role == .system ? 1 : 0)
            }
        }
        if !dataset.defaultSystemText.isEmpty, turns.first?.role != .system {
            var turn = Turn()
            turn.role = .system
            turn.parts = [.text(dataset.defaultSystemText)]
            turns.insert(turn, at: 0)
        }
        return turns
    }

    /// Everything wrong with a row, but for its images.
    ///
    /// - Parameters:
    ///   - turns: as completed
    ///   - sizes: width and height of each image; nil where the image was refused
    func problems(
        _ row: IngestRow, turns: [Turn], sizes: [(width: Int, height: Int)?]
    ) -> [Problem] {
        var found: [Rejection] = []
        checkTurns(turns, imageCount: sizes.count, &found)
        checkAnswer(turns, &found)
        found += Self.regionProblems(row.regions, sizes)
        checkWords(row, &found)
        checkVotes(row, hasAnswer: turns.last?.role == .assistant, &found)
        return found.map(\.problem)
    }

    private func checkTurns(_ turns: [Turn], imageCount: Int, _ found: inout [Rejection]) {
        guard (1...Limits.turnsMax).contains(turns.count) else {
            found.append(
                Rejection(
                    .turnsInvalid, field: "turns", seen: "\(turns.count) turns",
                    allowed: "1 to \(Limits.turnsMax)", "a row needs a conversation"))
            return
        }
        var expected = TurnRole.user
        for (index, turn) in turns.enumerated() {
            let path = "turns[\(index)]"
            if turn.role == .system, index == 0 { continue }
            if turn.role != expected {
                found.append(
                    Rejection(
                        .turnsInvalid, field: "\(path).role", seen: turn.role.plainName,
                        allowed: expected.plainName,
                        "after an optional system turn user and assistant alternate"))
                break
            }
            expected = turn.role == .user ? .assistant : .user
        }
        for (index, turn) in turns.enumerated() { checkParts(turn, "turns[\(index)]", &found) }
        checkPlaces(turns, imageCount: imageCount, &found)
    }

    private func checkParts(_ turn: Turn, _ path: String, _ found: inout [Rejection]) {
        if !(1...Limits.partsMax).contains(turn.parts.count) {
            found.append(
                Rejection(
                    .turnsInvalid, field: "\(path).parts", seen: "\(turn.parts.count) parts",
                    allowed: "1 to \(Limits.partsMax)", "a turn needs something in it"))
        }
        if let weight = turn.lossWeight,
            !(0...10).contains(weight) || weight > 0 && turn.role != .assistant
        {
            found.append(
                Rejection(
                    .fieldInvalid, field: "\(path).loss_weight", seen: "\(weight)",
                    allowed: "0 to 10 for the assistant, 0 for others", "the weight is not allowed")
            )
        }
        for (index, part) in turn.parts.enumerated() {
            let place = "\(path).parts[\(index)]"
            switch part.part {
            case .text(let text)?: checkText(text, place, Limits.textBytesMax, &found)
            case .imageIndex? where turn.role != .user:
                found.append(
                    Rejection(
                        .imagePlaceholderMismatch, field: place, seen: turn.role.plainName,
                        allowed: "USER", "only the user's turns hold images"))
            case .imageIndex?: break
            case nil:
                found.append(
                    Rejection(
                        .fieldRequired, field: place, seen: "nothing",
                        allowed: "text or image_index", "a part is empty"))
            }
        }
    }

    /// Each image stands in exactly one place.
    private func checkPlaces(_ turns: [Turn], imageCount: Int, _ found: inout [Rejection]) {
        let places = turns.flatMap(\.parts).compactMap { part -> Int? in
            if case .imageIndex(let index)? = part.part { Int(index) } else { nil }
        }
        guard places.sorted() != Array(0..<imageCount) else { return }
        found.append(
            Rejection(
                .imagePlaceholderMismatch, field: "turns",
                seen: "\(imageCount) images and places for \(places.prefix(20))",
                allowed: "one place for each image", "images and their places do not match"))
    }

    private func checkAnswer(_ turns: [Turn], _ found: inout [Rejection]) {
        guard let last = turns.last, last.role == .assistant else { return }
        let path = "turns[\(turns.count - 1)]"
        let answer = last.plainText
        if answer.allSatisfy(\.isWhitespace) {
            found.append(
                Rejection(
                    .answerEmpty, field: path, seen: "no text", allowed: "an answer",
                    "the answer is empty; leave the turn out to have the row annotated"))
            return
        }
        if let problem = answerProblem(answer) { found.append(problem.at(path)) }
    }

    /// What is wrong with an answer as such.
    func answerProblem(_ answer: String) -> Rejection? {
        if answer.utf8.count > answerBytesMax {
            return Rejection(
                .answerInvalid, seen: "\(answer.utf8.count) bytes",
                allowed: "\(answerBytesMax) bytes", "the answer is too long")
        }
        if !classes.isEmpty, !classes.contains(answer) {
            return Rejection(
                .answerInvalid, seen: answer,
                allowed: classes.sorted().prefix(20).joined(separator: ", "),
                "the answer is none of the classes")
        }
        let broken = schema?.problems(in: answer) ?? []
        guard !broken.isEmpty else { return nil }
        let places = broken.prefix(Self.schemaProblemsTold).map { problem in
            problem.pointer.isEmpty ? problem.message : "\(problem.pointer): \(problem.message)"
        }
        return Rejection(
            .answerInvalid, seen: answer, allowed: "JSON that meets the dataset's schema",
            "the answer breaks the schema in \(broken.count) places: "
                + places.joined(separator: "; "))
    }

    /// Places of one answer that are named.
    private static let schemaProblemsTold = 5

    /// What is wrong with regions.
    ///
    /// - Parameter sizes: width and height of each image; nil where the image was refused
    static func regionProblems(
        _ regions: [ImageRegion], _ sizes: [(width: Int, height: Int)?]
    ) -> [Rejection] {
        guard regions.count <= Limits.regionsMax else {
            return [
                Rejection(
                    .regionInvalid, field: "regions", seen: "\(regions.count)",
                    allowed: "\(Limits.regionsMax)", "there are too many regions")
            ]
        }
        return regions.enumerated().compactMap { index, region in
            regionProblem(region, "regions[\(index)]", sizes)
        }
    }

    private static func regionProblem(
        _ region: ImageRegion, _ path: String, _ sizes: [(width: Int, height: Int)?]
    ) -> Rejection? {
        guard Int(region.imageIndex) < sizes.count else {
            return Rejection(
                .regionInvalid, field: "\(path).image_index", seen: "\(region.imageIndex)",
                allowed: "below \(sizes.count)", "there is no such image")
        }
        guard let size = sizes[Int(region.imageIndex)] else { return nil }
        let (width, height) = (Double(size.width), Double(size.height))
        let isInside =
            region.xMinPixels >= 0 && region.yMinPixels >= 0
            && region.xMaxPixels > region.xMinPixels && region.xMaxPixels <= width
            && region.yMaxPixels > region.yMinPixels && region.yMaxPixels <= height
        guard !isInside else { return nil }
        return Rejection(
            .regionInvalid, field: path,
            seen: "\(region.xMinPixels), \(region.yMinPixels) to \(region.xMaxPixels), "
                + "\(region.yMaxPixels)",
            allowed: "an area inside \(size.width) x \(size.height)",
            "the region does not lie in its image")
    }
}

/// Words beside the conversation.
extension RowRules {
    private func checkWords(_ row: IngestRow, _ found: inout [Rejection]) {
        checkText(row.rowID, "row_id", Limits.rowIDBytesMax, &found)
        checkText(row.passthroughJSON, "passthrough_json", Limits.passthroughBytesMax, &found)
        if row.tags.count > Limits.tagsMax {
            found.append(tooMany("tags", row.tags.count, Limits.tagsMax))
        }
        for (index, tag) in row.tags.enumerated() where !Self.isTag(tag) {
            found.append(
                Rejection(
                    .fieldInvalid, field: "tags[\(index)]", seen: tag,
                    allowed: "[a-z][a-z0-9_-]{0,62}", "the tag is not allowed"))
        }
        for key in row.groupValues.keys.sorted() where !groupKeys.contains(key) {
            found.append(
                Rejection(
                    .fieldInvalid, field: "group_values.\(key)", seen: key,
                    allowed: groupKeys.sorted().joined(separator: ", "),
                    "the dataset has no such group key"))
        }
        if row.attributes.count > Limits.attributesMax {
            found.append(tooMany("attributes", row.attributes.count, Limits.attributesMax))
        }
        for (key, value) in row.attributes.merging(row.groupValues, uniquingKeysWith: { a, _ in a })
        {
            checkText(key, "attributes (a key)", Limits.rowIDBytesMax, &found)
            checkText(value, "attributes.\(key)", Limits.attributeBytesMax, &found)
        }
        for image in row.images {
            checkText(image.displayName, "images.display_name", Limits.imageNameBytesMax, &found)
        }
    }

    private func checkVotes(_ row: IngestRow, hasAnswer: Bool, _ found: inout [Rejection]) {
        if row.votes.count > Limits.votesPerRowMax {
            found.append(tooMany("votes", row.votes.count, Limits.votesPerRowMax))
        }
        for (index, vote) in row.votes.enumerated() {
            let path = "votes[\(index)]"
            if vote.annotator.isEmpty {
                found.append(
                    Rejection(
                        .fieldRequired, field: "\(path).annotator", seen: "nothing",
                        allowed: "a name", "a vote needs its author"))
            }
            checkText(
                vote.annotator, "\(path).annotator", Limits.annotatorBytesMax, &found)
            if let problem = answerProblem(vote.answer) { found.append(problem.at(path)) }
        }
        if row.gold, !hasAnswer {
            found.append(
                Rejection(
                    .fieldsConflict, field: "gold", seen: "no answer", allowed: "a known answer",
                    "a gold row needs the answer to compare with"))
        }
    }

    private func checkText(
        _ text: String, _ path: String, _ max: Int, _ found: inout [Rejection]
    ) {
        guard text.utf8.count > max else { return }
        found.append(
            Rejection(
                .fieldInvalid, field: path, seen: "\(text.utf8.count) bytes",
                allowed: "\(max) bytes", "the text is too long"))
    }

    private func tooMany(_ path: String, _ count: Int, _ max: Int) -> Rejection {
        Rejection(
            .fieldInvalid, field: path, seen: "\(count)", allowed: "\(max)", "there are too many")
    }

    /// `[a-z][a-z0-9_-]{0,62}`.
    static func isTag(_ tag: String) -> Bool {
        guard let first = tag.utf8.first, tag.utf8.count <= Limits.tagBytesMax else {
            return false
        }
        return (0x61...0x7a).contains(first)
            && tag.utf8.allSatisfy {
                (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5f
                    || $0 == 0x2d
            }
    }
}

extension ContentPart {
    /// A part that is text.
    static func text(_ text: String) -> ContentPart {
        var part = ContentPart()
        part.part = .text(text)
        return part
    }

    /// A part that is the place of an image.
    static func image(_ index: Int) -> ContentPart {
        var part = ContentPart()
        part.part = .imageIndex(UInt32(index))
        return part
    }
}

extension Turn {
    /// Its texts, one after another.
    var plainText: String {
        parts.map { part in
            if case .text(let text)? = part.part { text } else { "" }
        }
        .joined()
    }

    /// A turn of one text.
    init(_ role: TurnRole, _ text: String) {
        self.init()
        self.role = role
        parts = [.text(text)]
    }
}
