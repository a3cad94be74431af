import Base
import Foundation
import Images
import Messages

/// Where an image of a source lies.
enum SourceImage: Sendable {
    case file(String)
    case content(Bytes, name: String)
}

/// A row as a source has it, or why it is none.
struct SourceRow: Sendable {
    /// Line or index in the source, from 1.
    let number: UInt64
    var row = IngestRow()
    var images: [SourceImage] = []
    var problem: Rejection?

    init(_ number: Int) { self.number = UInt64(number) }

    /// The row, refused where a text of it has no form on the wire: JSON can spell a NUL, which no
    /// message holds.
    var checked: SourceRow {
        guard problem == nil, (try? row.encoded()) == nil else { return self }
        var copy = self
        copy.problem = Rejection(
            .textInvalid, seen: "a NUL character", allowed: "text without NUL",
            "a text of the row holds what no message can")
        return copy
    }

    /// A row that cannot be read.
    init(_ number: Int, refusedFor problem: Rejection) {
        self.init(number)
        self.problem = problem
    }
}

/// Files that rows are read from. Each row is given on as soon as it is read, so that no source
/// needs more memory than its largest row.
protocol RowSource: Sendable {
    /// Calls `body` with each row in order.
    func forEach(_ body: (SourceRow) async throws -> Void) async throws
}

/// Why a source cannot be imported at all.
enum ImportError: Failure {
    case unreadable(String, why: String)
    case unknownFormat(String)
    case malformed(String, why: String)

    var kind: FailureKind { .invalidInput }
    var reason: String { "SOURCE_INVALID" }
    var message: String {
        switch self {
        case .unreadable(let path, let why): "\(path) cannot be read: \(why)"
        case .unknownFormat(let path):
            "\(path) is of no known format; name it with --format: "
                + ImportFormat.allCases.map(\.rawValue).joined(separator: ", ")
        case .malformed(let path, let why): "\(path): \(why)"
        }
    }
}

/// Finds image files, and never outside of the source's folder.
struct ImageFolder: Sendable {
    private let root: String

    /// - Parameter path: the folder that image paths are relative to
    init(_ path: String) {
        root = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    }

    /// The image that a source names: a file, a `data:` URL or base64.
    func image(_ text: String, name: String = "") throws(Rejection) -> SourceImage {
        if text.hasPrefix("data:") { return try dataURL(text, name: name) }
        let lower = text.prefix(8).lowercased()
        if lower.hasPrefix("http://") || lower.hasPrefix("https://") {
            throw Rejection(
                .imageNotFound, field: "image", seen: text, allowed: "a file or a data: URL",
                "remote addresses are never fetched; download the image first")
        }
        let path = text.hasPrefix("file://") ? String(text.dropFirst(7)) : text
        let url =
            path.hasPrefix("/")
            ? URL(fileURLWithPath: path) : URL(fileURLWithPath: root).appendingPathComponent(path)
        let resolved = url.resolvingSymlinksInPath().path
        guard resolved.hasPrefix(root.hasSuffix("/") ? root : root + "/") else {
            throw Rejection(
                .imageNotFound, field: "image", seen: text,
                allowed: "a path inside the source's folder", "the path leads out of the folder")
        }
        return .file(resolved)
    }

    /// An image written as base64.
    func base64(_ text: String, name: String) throws(Rejection) -> SourceImage {
        guard let decoded = Data(base64Encoded: text, options: .ignoreUnknownCharacters),
            !decoded.isEmpty
        else {
            throw Rejection(
                .imageUnreadable, field: "image", seen: String(text.prefix(40)),
                allowed: "base64", "the image is not base64")
        }
        return .content(Bytes(decoded), name: name)
    }

    private func dataURL(_ text: String, name: String) throws(Rejection) -> SourceImage {
        guard let comma = text.firstIndex(of: ","), text[..<comma].hasSuffix(";base64") else {
            throw Rejection(
                .imageUnreadable, field: "image", seen: String(text.prefix(40)),
                allowed: "data:image/...;base64,...", "the data: URL is not base64")
        }
        return try base64(String(text[text.index(after: comma)...]), name: name)
    }
}

extension SourceImage {
    /// The bytes; files beyond what any dataset takes are not read.
    func bytes() throws(Rejection) -> Bytes {
        switch self {
        case .content(let bytes, _): return bytes
        case .file(let path):
            let name = URL(fileURLWithPath: path).lastPathComponent
            let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size]) as? Int
            if let size, size > Limits.imageBytesMax {
                throw Rejection(.tooManyBytes(count: size, max: Limits.imageBytesMax))
            }
            switch SmallFile.read(path, bytesMax: Limits.imageBytesMax + 1) {
            case .success(let bytes): return bytes
            case .failure(let error):
                throw Rejection(
                    .imageNotFound, field: "image", seen: "\(name): \(error.words)",
                    allowed: "a file that can be read", "the image file cannot be read")
            }
        }
    }

    /// What the image is called.
    var name: String {
        switch self {
        case .content(_, let name): name
        case .file(let path): URL(fileURLWithPath: path).lastPathComponent
        }
    }
}
