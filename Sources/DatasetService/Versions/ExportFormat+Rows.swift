import Base
import Messages
import Resources
import Text

/// Writes rows in the form that a format's readers know. Each is the mirror of a source in
/// Importers.
struct ExportRow {
    let example: Example
    let split: SplitKind
    /// Paths of its images beside the file, or `data:` URLs; empty where images are left out.
    let images: [String]

    private var passthrough: [(key: String, value: String)] {
        guard let root = try? JSONDocument(example.passthroughJSON.utf8).root else { return [] }
        return root.members.map { ($0.key.string ?? "", $0.value.source) }
    }

    /// What of this row a format cannot hold, in words.
    func losses(_ format: ExportFormat) -> [String] {
        guard format != .fovea else { return [] }
        var losses: [String] = []
        let isTable = ![.llava, .sharegpt, .messages, .openai].contains(format)
        if !example.regions.isEmpty { losses.append("regions") }
        if example.gold { losses.append("gold") }
        if example.rights != nil { losses.append("rights") }
        if !example.groupValues.isEmpty, format != .csv { losses.append("group_values") }
        let keepsAttributes = [.csv, .imageFolder, .roboflow, .labelStudio, .vlmevalkit]
            .contains(format)
        if !example.attributes.isEmpty, !keepsAttributes { losses.append("attributes") }
        if !example.tags.isEmpty, isTable { losses.append("tags") }
        if isTable, example.images.count != 1 { losses.append("more or fewer than one image") }
        if isTable, !isOneQuestion { losses.append("turns beyond one question and answer") }
        if isTable, !passthrough.isEmpty { losses.append("passthrough_json") }
        if format == .classFolders, !question.isEmpty { losses.append("the question") }
        return losses
    }

    private var isOneQuestion: Bool {
        example.turns.allSatisfy { $0.role != .system && $0.lossWeight == nil }
            && example.turns.count <= 2
    }

    /// The first question without the marks of images.
    var question: String {
        example.turns.first { $0.role == .user }?.plainText ?? ""
    }

    /// One JSON object; nil for formats that are no JSON.
    func json(_ format: ExportFormat) -> String {
        var json = JSONText()
        json.object { json in
            switch format {
            case .llava, .sharegpt: conversation(format, &json)
            case .messages, .openai: messages(format, &json)
            case .labelStudio: labelStudio(&json)
            case .roboflow: flat(("image", "prefix", "suffix"), &json)
            case .imageFolder: flat(("file_name", "prompt", "text"), &json)
            default: native(&json)
            }
        }
        return json.text
    }

    private func conversation(_ format: ExportFormat, _ json: inout JSONText) {
        json.member("id", example.rowID)
        if format == .llava, images.count == 1 {
            json.member("image", images[0])
        } else {
            json.key(format == .llava ? "image" : "images")
            json.array { json in for image in images { json.value(image) } }
        }
        json.key("conversations")
        json.array { json in
            for turn in example.turns {
                json.object { json in
                    let speaker =
                        switch turn.role {
                        case .user: "human"
                        case .assistant: "gpt"
                        default: "system"
                        }
                    json.member("from", speaker)
                    json.member("value", turn.markedText)
                    if let weight = turn.lossWeight { json.member("loss_scale", weight) }
                }
            }
        }
        rest(&json)
    }

    private func messages(_ format: ExportFormat, _ json: inout JSONText) {
        json.member("id", example.rowID)
        json.key("messages")
        json.array { json in
            for turn in example.turns {
                json.object { json in
                    json.member("role", turn.role.plainName.lowercased())
                    json.key("content")
                    if format == .openai, turn.role == .user {
                        content(turn, &json)
                    } else {
                        json.value(turn.markedText)
                    }
                    if let weight = turn.lossWeight { json.member("loss_scale", weight) }
                }
            }
        }
        if format == .messages {
            json.key("images")
            json.array { json in for image in images { json.value(image) } }
        }
        rest(&json)
    }

    private func content(_ turn: Turn, _ json: inout JSONText) {
        json.array { json in
            for part in turn.parts {
                json.object { json in
                    switch part.part {
                    case .imageIndex(let index)?:
                        json.member("type", "image_url")
                        json.key("image_url")
                        let place = Int(index)
                        let url = images.indices.contains(place) ? images[place] : ""
                        json.object { $0.member("url", url) }
                    case .text(let text)?:
                        json.member("type", "text")
                        json.member("text", text)
                    case nil: break
                    }
                }
            }
        }
    }

    private func rest(_ json: inout JSONText) {
        if !example.tags.isEmpty {
            json.key("tags")
            json.array { json in for tag in example.tags { json.value(tag) } }
        }
        if split != .unspecified { json.member("split", split.plainName.lowercased()) }
        for (key, value) in passthrough {
            json.key(key)
            json.literal(value)
        }
    }

    private func flat(
        _ names: (image: String, question: String, answer: String), _ json: inout JSONText
    ) {
        json.member(names.image, images.first ?? "")
        json.member(names.question, question)
        json.member(names.answer, example.answer)
        json.member("id", example.rowID)
        json.member("split", split.plainName.lowercased())
        for (key, value) in example.attributes.sorted(by: { $0.key < $1.key }) {
            json.member(key, value)
        }
    }

    private func labelStudio(_ json: inout JSONText) {
        json.member("id", example.rowID)
        json.key("data")
        json.object { json in
            json.member("image", images.first ?? "")
            if !question.isEmpty { json.member("prompt", question) }
            for (key, value) in example.attributes.sorted(by: { $0.key < $1.key }) {
                json.member(key, value)
            }
        }
        json.key("annotations")
        json.array { json in
            json.object { json in
                json.member("ground_truth", true)
                json.key("result")
                json.array { json in
                    json.object { json in
                        json.member("type", "choices")
                        json.key("value")
                        json.object { json in
                            json.key("choices")
                            json.array { $0.value(example.answer) }
                        }
                    }
                }
            }
        }
    }

    private func native(_ json: inout JSONText) {
        json.member("row_id", example.rowID)
        json.key("images")
        json.array { json in
            for (index, image) in example.images.enumerated() {
                json.object { json in
                    json.member("path", images.indices.contains(index) ? images[index] : "")
                    json.member("name", image.displayName)
                    json.member("sha256", image.imageSha256)
                }
            }
        }
        json.key("turns")
        json.array { json in for turn in example.turns { json.object { native(turn, &$0) } } }
        json.key("regions")
        json.array { json in
            for region in example.regions {
                json.object { json in
                    json.member("image", Int(region.imageIndex))
                    json.member("label", region.label)
                    json.key("box")
                    json.array { json in
                        json.value(region.xMinPixels)
                        json.value(region.yMinPixels)
                        json.value(region.xMaxPixels)
                        json.value(region.yMaxPixels)
                    }
                }
            }
        }
        json.key("tags")
        json.array { json in for tag in example.tags { json.value(tag) } }
        texts("group_values", example.groupValues, &json)
        texts("attributes", example.attributes, &json)
        if let rights = example.rights { native(rights, &json) }
        json.member("gold", example.gold)
        json.member("split", split.plainName.lowercased())
        json.member("passthrough", example.passthroughJSON)
    }

    private func native(_ turn: Turn, _ json: inout JSONText) {
        json.member("role", turn.role.plainName.lowercased())
        if let weight = turn.lossWeight { json.member("loss_weight", weight) }
        json.key("parts")
        json.array { json in
            for part in turn.parts {
                json.object { json in
                    switch part.part {
                    case .text(let text)?: json.member("text", text)
                    case .imageIndex(let index)?: json.member("image", Int(index))
                    case nil: break
                    }
                }
            }
        }
    }

    private func native(_ rights: ExampleRights, _ json: inout JSONText) {
        json.key("rights")
        json.object { json in
            json.member("source", rights.source)
            json.member("licence", rights.licence)
            json.member("consent", rights.consent)
            if let until = rights.retainUntilTime {
                json.member("retain_until_ns", Int(until.nanoseconds))
            }
        }
    }

    private func texts(_ key: String, _ values: [String: String], _ json: inout JSONText) {
        json.key(key)
        json.object { json in
            for (key, value) in values.sorted(by: { $0.key < $1.key }) { json.member(key, value) }
        }
    }
}
