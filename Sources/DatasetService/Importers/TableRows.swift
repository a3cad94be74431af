import Foundation
import Messages
import Text

/// What the columns of a table mean.
struct TableColumns: Sendable {
    var image = ["image", "image_path", "file_name", "path", "filename"]
    var answer = ["answer", "label", "text", "suffix", "class", "output"]
    var prompt = ["prompt", "question", "prefix", "query", "input"]
    var id = ["id", "row_id", "index"]
    var split = ["split"]
    /// Group key by column.
    var groups: [String: String] = [:]
    /// Columns whose value is a tag where it is not empty.
    var tags: [String] = []

    /// The row of one line.
    func row(
        _ values: [String: String], _ number: Int, _ folder: ImageFolder, base64: Bool = false
    ) throws(Rejection) -> SourceRow {
        var row = SourceRow(number)
        var used = Set<String>()
        func take(_ names: [String]) -> String? {
            guard let name = names.first(where: { values[$0] != nil }) else { return nil }
            used.insert(name)
            return values[name]
        }
        guard let image = take(image), !image.isEmpty else {
            throw Rejection(
                .fieldRequired, field: "image", seen: values.keys.sorted().joined(separator: ", "),
                allowed: self.image.joined(separator: ", "), "the row names no image")
        }
        let isBase64 = base64 && image.count > 64
        row.images = [
            isBase64 ? try folder.base64(image, name: "") : try folder.image(image)
        ]
        row.row.rowID = take(id) ?? image
        row.row.sourceSplit = SplitKind(sourceName: take(split) ?? "")
        if let prompt = take(prompt), !prompt.isEmpty {
            var placed = 0
            var turn = Turn()
            turn.role = .user
            turn.parts = ConversationRows.parts(prompt, &placed)
            row.row.turns.append(turn)
            row.placeLeftImages(from: placed)
        }
        if let answer = take(answer), !answer.isEmpty {
            row.row.turns.append(Turn(.assistant, answer))
        }
        for (column, key) in groups {
            used.insert(column)
            if let value = values[column], !value.isEmpty { row.row.groupValues[key] = value }
        }
        for column in tags {
            used.insert(column)
            if let value = values[column], !value.isEmpty { row.row.tags.append(value) }
        }
        row.row.attributes = values.filter { !used.contains($0.key) && !$0.value.isEmpty }
        return row
    }
}

/// A CSV or TSV file with a header.
struct TableRows: RowSource {
    let path: String
    let separator: Character
    let columns: TableColumns
    let folder: ImageFolder

    func forEach(_ body: (SourceRow) async throws -> Void) async throws {
        let rows = try SeparatedRows(path: path, separator: separator)
        try await rows.forEach { number, values in
            do {
                try await body(
                    try columns.row(try values.get(), number, folder, base64: separator == "\t"))
            } catch let rejection as Rejection {
                try await body(SourceRow(number, refusedFor: rejection))
            }
        }
    }
}

/// One flat JSON object a line, such as Roboflow's `image`, `prefix`, `suffix`.
struct ObjectRows: RowSource {
    let path: String
    let columns: TableColumns
    let folder: ImageFolder

    func forEach(_ body: (SourceRow) async throws -> Void) async throws {
        try await TextRecords(path: path).forEach { number, record in
            do {
                let node = try TextRecords.json(record)
                var values: [String: String] = [:]
                for (key, value) in node.members {
                    values[key.string ?? ""] = value.string ?? value.source
                }
                try await body(try columns.row(values, number, folder))
            } catch let rejection as Rejection {
                try await body(SourceRow(number, refusedFor: rejection))
            }
            return true
        }
    }
}

/// A folder as Hugging Face's ImageFolder has it: `metadata.csv` or `metadata.jsonl`, at the top or
/// in a folder for each split.
struct ImageFolderRows: RowSource {
    let path: String
    let columns: TableColumns

    /// The metadata files of a folder, with the split that their place means.
    static func files(in path: String) -> [(path: String, split: SplitKind)] {
        let folders = [""] + ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [])
        return folders.sorted().flatMap { folder in
            ["metadata.jsonl", "metadata.csv"].compactMap { name in
                let file = folder.isEmpty ? "\(path)/\(name)" : "\(path)/\(folder)/\(name)"
                guard FileManager.default.fileExists(atPath: file) else { return nil }
                return (file, SplitKind(sourceName: folder))
            }
        }
    }

    func forEach(_ body: (SourceRow) async throws -> Void) async throws {
        for file in Self.files(in: path) {
            let folder = ImageFolder(
                URL(fileURLWithPath: file.path).deletingLastPathComponent().path)
            let source: any RowSource =
                file.path.hasSuffix(".csv")
                ? TableRows(path: file.path, separator: ",", columns: columns, folder: folder)
                : ObjectRows(path: file.path, columns: columns, folder: folder)
            try await source.forEach { row in
                var row = row
                if file.split != .unspecified { row.row.sourceSplit = file.split }
                try await body(row)
            }
        }
    }
}

/// A folder for each class, perhaps below a folder for each split.
struct ClassFolderRows: RowSource {
    let path: String
    static let endings: Set = ["jpg", "jpeg", "png", "webp", "tif", "tiff"]

    func forEach(_ body: (SourceRow) async throws -> Void) async throws {
        let root = URL(fileURLWithPath: path)
        var number = 0
        for file in Self.images(in: root.path) {
            let parts = file.split(separator: "/").map(String.init)
            number += 1
            var row = SourceRow(number)
            row.row.rowID = file
            if parts.count < 2 {
                row.problem = Rejection(
                    .fieldRequired, field: "class", seen: file, allowed: "a folder for each class",
                    "the image lies in no class folder")
            } else {
                row.row.turns = [Turn(.assistant, parts[parts.count - 2])]
                row.row.sourceSplit = SplitKind(sourceName: parts[0])
            }
            do {
                row.images = [try ImageFolder(path).image(file)]
            } catch {
                row.problem = error
            }
            try await body(row)
        }
    }

    /// Paths of images below a folder, in order.
    static func images(in path: String) -> [String] {
        let all = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
        return all.filter { name in
            endings.contains(URL(fileURLWithPath: name).pathExtension.lowercased())
        }
        .sorted()
    }
}
