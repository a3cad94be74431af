import Base
import Foundation
import Messages
import Text

/// Rows of conversations, however they are written: LLaVA's `conversations`, ShareGPT's with
/// `images`, `messages` as TRL, ms-swift and OpenAI have them. A JSON list, or one object a line.
struct ConversationRows: RowSource {
    let path: String
    let folder: ImageFolder

    /// Keys that have a field of their own; others are kept for an export.
    private static let known: Set = [
        "id", "image", "images", "conversations", "messages", "system", "tags", "split",
    ]

    func forEach(_ body: (SourceRow) async throws -> Void) async throws {
        try await TextRecords(path: path).forEach { number, record in
            do {
                try await body(try Self.row(try TextRecords.json(record), number, folder))
            } catch let rejection as Rejection {
                try await body(SourceRow(number, refusedFor: rejection))
            }
            return true
        }
    }

    /// One object.
    static func row(
        _ node: JSONNode, _ number: Int, _ folder: ImageFolder
    ) throws(Rejection) -> SourceRow {
        var row = SourceRow(number)
        row.row.rowID = node["id"].map { $0.string ?? $0.source } ?? ""
        for key in ["image", "images"] {
            guard let value = node[key], !value.isNull else { continue }
            for item in value.isArray ? Array(value.elements) : [value] {
                row.images.append(try image(item, folder))
            }
        }
        guard let list = node["conversations"] ?? node["messages"], list.isArray else {
            throw Rejection(
                .fieldRequired, field: "messages", seen: node.sample,
                allowed: "conversations or messages", "the row has no conversation")
        }
        if let system = node["system"]?.string, !system.isEmpty {
            row.row.turns.append(Turn(.system, system))
        }
        var placed = 0
        for item in list.elements {
            row.row.turns.append(try turn(item, &row.images, &placed, folder))
        }
        row.placeLeftImages(from: placed)
        for tag in node["tags"].map({ Array($0.elements) }) ?? [] {
            if let tag = tag.string { row.row.tags.append(tag) }
        }
        row.row.sourceSplit = SplitKind(sourceName: node["split"]?.string ?? "")
        row.row.passthroughJSON = passthrough(node, except: known)
        return row
    }

    /// The members without a field of their own, as one object; empty if there are none.
    static func passthrough(_ node: JSONNode, except known: Set<String>) -> String {
        let rest = node.members.filter { !known.contains($0.key.string ?? "") }
        guard !rest.isEmpty else { return "" }
        return "{"
            + rest.map { "\($0.key.source):\($0.value.source)" }.joined(separator: ",") + "}"
    }

    private static func image(
        _ node: JSONNode, _ folder: ImageFolder
    ) throws(Rejection) -> SourceImage {
        if let text = node.string { return try folder.image(text) }
        let name = node["path"]?.string ?? ""
        for key in ["base64", "bytes"] {
            if let text = node[key]?.string { return try folder.base64(text, name: name) }
        }
        for key in ["path", "url", "image"] {
            if let text = node[key]?.string { return try folder.image(text, name: name) }
        }
        throw Rejection(
            .imageNotFound, field: "image", seen: node.sample,
            allowed: "a path, a data: URL or base64", "the image cannot be found")
    }

    private static func turn(
        _ node: JSONNode, _ images: inout [SourceImage], _ placed: inout Int,
        _ folder: ImageFolder
    ) throws(Rejection) -> Turn {
        let speaker = node["from"]?.string ?? node["role"]?.string ?? ""
        guard let role = TurnRole(sourceName: speaker) else {
            throw Rejection(
                .turnsInvalid, field: "role", seen: speaker,
                allowed: "system, user, human, assistant, gpt", "nobody knows who speaks")
        }
        var turn = Turn()
        turn.role = role
        turn.lossWeight = node["loss_scale"]?.double ?? node["loss"]?.bool.map { $0 ? 1 : 0 }
        guard let content = node["value"] ?? node["content"] else {
            throw Rejection(
                .turnsInvalid, field: "content", seen: node.sample, allowed: "content or value",
                "a turn has nothing in it")
        }
        if let text = content.string {
            turn.parts = role == .user ? parts(text, &placed) : [.text(text)]
            return turn
        }
        for item in content.elements {
            switch item["type"]?.string {
            case "text"?: turn.parts.append(.text(item["text"]?.string ?? ""))
            case "image_url"?:
                images.append(try image(item["image_url"] ?? item, folder))
                turn.parts.append(.image(images.count - 1))
                placed = images.count
            case "image"? where item.count > 1:
                images.append(try image(item, folder))
                turn.parts.append(.image(images.count - 1))
                placed = images.count
            case "image"?:
                turn.parts.append(.image(placed))
                placed += 1
            case let type:
                throw Rejection(
                    .turnsInvalid, field: "content.type", seen: type ?? item.sample,
                    allowed: "text, image, image_url", "a part of a turn is of another kind")
            }
        }
        return turn
    }

    /// Text with `<image>` where an image stands.
    static func parts(_ text: String, _ placed: inout Int) -> [ContentPart] {
        var parts: [ContentPart] = []
        for (index, piece) in text.components(separatedBy: "<image>").enumerated() {
            if index > 0 {
                parts.append(.image(placed))
                placed += 1
            }
            if !piece.isEmpty { parts.append(.text(piece)) }
        }
        return parts
    }
}

extension SourceRow {
    /// Images that no marker places stand before the first question.
    mutating func placeLeftImages(from placed: Int) {
        guard placed == 0, !images.isEmpty,
            let first = row.turns.firstIndex(where: { $0.role == .user })
        else { return }
        row.turns[first].parts.insert(contentsOf: images.indices.map { .image($0) }, at: 0)
    }
}

extension TurnRole {
    /// As sources name who speaks.
    init?(sourceName: String) {
        switch sourceName.lowercased() {
        case "system": self = .system
        case "user", "human": self = .user
        case "assistant", "gpt", "model": self = .assistant
        default: return nil
        }
    }
}

extension SplitKind {
    /// As sources name their parts.
    init(sourceName: String) {
        switch sourceName.lowercased() {
        case "train", "training": self = .train
        case "validation", "valid", "val", "dev": self = .validation
        case "test", "testing": self = .test
        default: self = .unspecified
        }
    }
}
