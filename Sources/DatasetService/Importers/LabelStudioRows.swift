import Messages
import Text

/// Label Studio's JSON: tasks with annotations. The one marked as ground truth is the answer; the
/// others are votes.
struct LabelStudioRows: RowSource {
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
        row.row.rowID = node["id"].map { $0.string ?? $0.source } ?? ""
        guard let fields = node["data"], let image = fields["image"]?.string else {
            throw Rejection(
                .fieldRequired, field: "data.image", seen: node.sample, allowed: "a path",
                "the task has no image")
        }
        row.images = [try folder.image(image)]
        for (key, value) in fields.members {
            guard let name = key.string, name != "image" else { continue }
            if let text = value.string, ["prompt", "question"].contains(name) {
                row.row.turns = [Turn(.user, text)]
                row.placeLeftImages(from: 0)
            } else {
                row.row.attributes[name] = value.string ?? value.source
            }
        }
        for annotation in node["annotations"].map({ Array($0.elements) }) ?? [] {
            take(annotation, &row.row)
        }
        return row
    }

    private func take(_ annotation: JSONNode, _ row: inout IngestRow) {
        guard annotation["was_cancelled"]?.bool != true,
            let answer = answer(annotation["result"])
        else { return }
        if annotation["ground_truth"]?.bool == true, row.turns.last?.role != .assistant {
            row.turns.append(Turn(.assistant, answer))
            return
        }
        var vote = ImportedVote()
        let author = annotation["completed_by"]
        let mail = author?["email"]?.string ?? author?.string
        vote.annotator = mail ?? author?["id"]?.source ?? author?.source ?? "unknown"
        vote.answer = answer
        vote.leadSeconds = annotation["lead_time"]?.double ?? 0
        row.votes.append(vote)
    }

    private func answer(_ result: JSONNode?) -> String? {
        for item in result.map({ Array($0.elements) }) ?? [] {
            guard let value = item["value"] else { continue }
            for key in ["choices", "text", "taxonomy"] {
                guard let found = value[key] else { continue }
                if let text = found.string { return text }
                let texts = found.elements.compactMap(\.string)
                if !texts.isEmpty { return texts.joined(separator: "\n") }
            }
        }
        return nil
    }
}
