import Base
import Messages

/// Which files an export has, and what stands around the rows in them.
struct ExportPlan: Sendable {
    let format: ExportFormat
    /// Columns of a table, found by reading all rows once: names of attributes and group keys.
    var attributes: [String] = []
    var groupKeys: [String] = []

    /// The file of rows; nil for a folder of class folders, where images are all there is.
    var fileName: String? {
        switch format {
        case .llava: "llava.json"
        case .sharegpt: "sharegpt.json"
        case .labelStudio: "tasks.json"
        case .messages: "messages.jsonl"
        case .openai: "openai.jsonl"
        case .roboflow: "annotations.jsonl"
        case .imageFolder: "metadata.jsonl"
        case .vlmevalkit: "rows.tsv"
        case .csv: "rows.csv"
        case .classFolders: nil
        default: NativeRows.fileName
        }
    }

    var mediaType: String {
        switch format {
        case .llava, .sharegpt, .labelStudio: "application/json"
        case .csv: "text/csv"
        case .vlmevalkit: "text/tab-separated-values"
        default: "application/jsonl"
        }
    }

    /// Whether images travel inside the rows.
    var holdsImages: Bool { format == .openai || format == .vlmevalkit }

    private var isList: Bool { [.llava, .sharegpt, .labelStudio].contains(format) }
    private var separator: String { format == .vlmevalkit ? "\t" : "," }
    private var isTable: Bool { format == .vlmevalkit || format == .csv }

    /// What stands before the first row.
    var opening: String {
        if isList { return "[" }
        guard isTable else { return "" }
        let names: [String] =
            format == .csv
            ? ["id", "image", "prompt", "answer", "split"]
            : ["index", "image", "question", "answer", "split"]
        return line(names + groupKeys + attributes)
    }

    /// What stands after the last row.
    var closing: String { isList ? "\n]\n" : "" }

    /// One row with what separates it from the one before.
    func text(_ row: ExportRow, isFirst: Bool) -> String {
        guard isTable else {
            let json = row.json(format)
            return isList ? (isFirst ? "\n" : ",\n") + json : json + "\n"
        }
        let example = row.example
        return line(
            [
                example.rowID, row.images.first ?? "", row.question, example.answer,
                row.split.plainName.lowercased(),
            ] + groupKeys.map { example.groupValues[$0] ?? "" }
                + attributes.map { example.attributes[$0] ?? "" })
    }

    private func line(_ fields: [String]) -> String {
        fields.map(quoted).joined(separator: separator) + "\n"
    }

    private func quoted(_ field: String) -> String {
        guard field.utf8.contains(where: { [0x22, 0x2c, 0x09, 0x0a, 0x0d].contains($0) }) else {
            return field
        }
        return "\"" + field.replacing("\"", with: "\"\"") + "\""
    }
}
