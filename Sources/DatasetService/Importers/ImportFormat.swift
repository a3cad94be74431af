import Foundation
import Messages
import Text

/// The forms of datasets that are read and written.
enum ImportFormat: String, CaseIterable, Sendable {
    case llava, sharegpt, messages, openai
    case imageFolder = "imagefolder"
    case roboflow, vlmevalkit
    case labelStudio = "labelstudio"
    case csv
    case classFolders = "classfolders"
    case fovea

    /// The file that describes the rows of a folder, such as the JSON list beside its images.
    ///
    /// - Returns: `path` itself if it is a file, or a folder that is described by its own names
    static func description(_ path: String) throws(ImportError) -> String {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        guard !names.contains(NativeRows.fileName), ImageFolderRows.files(in: path).isEmpty else {
            return path
        }
        let extensions: Set = ["json", "jsonl", "csv", "tsv"]
        let files = names.filter {
            extensions.contains(URL(fileURLWithPath: $0).pathExtension.lowercased())
        }.sorted()
        guard files.count < 2 else {
            throw .malformed(
                path, why: "has several lists of rows (\(files.joined(separator: ", "))); name one")
        }
        return files.first.map { "\(path)/\($0)" } ?? path
    }

    /// Finds the form of a file or folder by its content.
    static func detect(_ path: String) throws(ImportError) -> ImportFormat {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw .unreadable(path, why: "there is no such file")
        }
        if isFolder.boolValue {
            if FileManager.default.fileExists(atPath: "\(path)/\(NativeRows.fileName)") {
                return .fovea
            }
            if !ImageFolderRows.files(in: path).isEmpty { return .imageFolder }
            guard !ClassFolderRows.images(in: path).isEmpty else { throw .unknownFormat(path) }
            return .classFolders
        }
        if let kind = archiveKind(path) {
            throw .malformed(
                path, why: "it is a \(kind) archive; unpack it first, archives are not read")
        }
        switch URL(fileURLWithPath: path).pathExtension.lowercased() {
        case "tsv": return .vlmevalkit
        case "csv": return .csv
        default: return try detectJSON(path)
        }
    }

    /// The kind of a packed file, by its first bytes; nil for any other.
    private static func archiveKind(_ path: String) -> String? {
        guard let file = FileHandle(forReadingAtPath: path),
            let start = try? file.read(upToCount: 262)
        else { return nil }
        let kinds: [(String, [UInt8])] = [
            ("zip", [0x50, 0x4b, 3, 4]), ("zip", [0x50, 0x4b, 5, 6]), ("gzip", [0x1f, 0x8b]),
            ("7z", [0x37, 0x7a, 0xbc, 0xaf]), ("zstd", [0x28, 0xb5, 0x2f, 0xfd]),
            ("xz", [0xfd, 0x37, 0x7a, 0x58]),
        ]
        if start.dropFirst(257).starts(with: Array("ustar".utf8)) { return "tar" }
        return kinds.first { start.starts(with: $0.1) }?.0
    }

    private static func detectJSON(_ path: String) throws(ImportError) -> ImportFormat {
        guard let node = try firstRecord(path) else { throw .unknownFormat(path) }
        if node["row_id"] != nil, node["turns"] != nil { return .fovea }
        if node["data"] != nil, node["annotations"] != nil { return .labelStudio }
        if node["conversations"] != nil { return node["images"] == nil ? .llava : .sharegpt }
        if let messages = node["messages"] {
            let holdsImages = messages.elements.contains { message in
                message["content"]?.elements.contains { $0["image_url"] != nil } == true
            }
            return holdsImages ? .openai : .messages
        }
        if node["image"] != nil, node["suffix"] != nil { return .roboflow }
        throw .unknownFormat(path)
    }

    private static func firstRecord(_ path: String) throws(ImportError) -> JSONNode? {
        let records = try TextRecords(path: path)
        return records.first(of: 20)
    }

    /// Rows of a file or folder.
    ///
    /// - Parameter images: the folder that image paths are relative to; nil for the source's own
    func rows(of path: String, columns: TableColumns, images: String?) -> any RowSource {
        let own = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let folder = ImageFolder(images ?? own)
        switch self {
        case .llava, .sharegpt, .messages, .openai:
            return ConversationRows(path: path, folder: folder)
        case .roboflow: return ObjectRows(path: path, columns: columns, folder: folder)
        case .vlmevalkit:
            return TableRows(path: path, separator: "\t", columns: columns, folder: folder)
        case .csv: return TableRows(path: path, separator: ",", columns: columns, folder: folder)
        case .labelStudio: return LabelStudioRows(path: path, folder: folder)
        case .imageFolder: return ImageFolderRows(path: path, columns: columns)
        case .classFolders: return ClassFolderRows(path: path)
        case .fovea:
            var isFolder: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
            let file = isFolder.boolValue ? "\(path)/\(NativeRows.fileName)" : path
            return NativeRows(
                path: file,
                folder: ImageFolder(
                    images ?? URL(fileURLWithPath: file).deletingLastPathComponent().path))
        }
    }
}

extension TextRecords {
    /// The first of the leading records that is JSON; nil if none is.
    func first(of count: Int) -> JSONNode? {
        for record in leading(count) {
            if let node = try? Self.json(record), node.isObject { return node }
        }
        return nil
    }
}
