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
        switch URL(fileURLWithPath: path).pathExtension.lowercased() {
        case "tsv": return .vlmevalkit
        case "csv": return .csv
        default: return try detectJSON(path)
        }
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
