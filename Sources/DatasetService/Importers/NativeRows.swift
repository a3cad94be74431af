import Base
import Foundation
import Messages
import Resources
import Text

/// Fovea's own form: everything that a row has, one JSON object a line in `rows.jsonl`, beside a
/// folder `images`.
struct NativeRows: RowSource {
    static let fileName = "rows.jsonl"
    let path: String
    let folder: ImageFolder

    func forEach(_ body: (SourceRow) async throws -> Void) async throws {
        try await TextRecords(path: path).forEach { number, record in
            do {
                try await body(try row(try TextRecords.json(record), number))
            } catch let rejection as Rejection {
                try await body(SourceRow(number, refusedFor: rejection))
            }
            return true
        }
    }

    private func row(_ node: JSONNode, _ number: Int) throws(Rejection) -> SourceRow {
        var row = SourceRow(number)
        row.row.rowID = node["row_id"]?.string ?? ""
        for image in node["images"].map({ Array($0.elements) }) ?? [] {
            row.images.append(try folder.image(image["path"]?.string ?? ""))
            row.row.images.append(.with { $0.displayName = image["name"]?.string ?? "" })
        }
        row.row.turns = (node["turns"].map { Array($0.elements) } ?? []).map { turn($0) }
        row.row.regions = (node["regions"].map { Array($0.elements) } ?? []).map { region($0) }
        row.row.tags = (node["tags"].map { Array($0.elements) } ?? []).compactMap(\.string)
        row.row.groupValues = texts(node["group_values"])
        row.row.attributes = texts(node["attributes"])
        row.row.gold = node["gold"]?.bool ?? false
        row.row.sourceSplit = SplitKind(sourceName: node["split"]?.string ?? "")
        row.row.passthroughJSON = node["passthrough"]?.string ?? ""
        if let rights = node["rights"] {
            row.row.rights = .with {
                $0.source = rights["source"]?.string ?? ""
                $0.licence = rights["licence"]?.string ?? ""
                $0.consent = rights["consent"]?.string ?? ""
                if let until = rights["retain_until_ns"]?.int {
                    $0.retainUntilTime = .init(nanoseconds: Int64(until))
                }
            }
        }
        return row
    }

    private func turn(_ node: JSONNode) -> Turn {
        var turn = Turn()
        turn.role = TurnRole(sourceName: node["role"]?.string ?? "") ?? .unspecified
        turn.lossWeight = node["loss_weight"]?.double
        turn.parts = (node["parts"].map { Array($0.elements) } ?? []).map { part in
            if let text = part["text"]?.string { return .text(text) }
            return .image(min(max(0, part["image"]?.int ?? 0), 1 << 30))
        }
        return turn
    }

    private func region(_ node: JSONNode) -> ImageRegion {
        .with {
            $0.imageIndex = UInt32(clamping: node["image"]?.int ?? 0)
            $0.label = node["label"]?.string ?? ""
            let box = node["box"].map { $0.elements.compactMap(\.double) } ?? []
            guard box.count == 4 else { return }
            ($0.xMinPixels, $0.yMinPixels) = (box[0], box[1])
            ($0.xMaxPixels, $0.yMaxPixels) = (box[2], box[3])
        }
    }

    private func texts(_ node: JSONNode?) -> [String: String] {
        var texts: [String: String] = [:]
        guard let node else { return texts }
        for (key, value) in node.members {
            if let key = key.string, let value = value.string { texts[key] = value }
        }
        return texts
    }
}
